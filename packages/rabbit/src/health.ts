import type { LinkHealth } from '@ha/core'
import type { ConsumerHealth } from './consume/consuming.ts'
import type { RabbitFailover } from './events.ts'

/** What a client believes and does, as plain data without any secret. */
export interface RabbitHealth {
  /** `ready` when every connection in use is; else what the worst of them does. */
  readonly state: LinkHealth['state']
  readonly publish: LinkHealth
  readonly consume: LinkHealth
  readonly outbox: OutboxHealth
  readonly consumers: readonly ConsumerHealth[]
  readonly lastFailover: Omit<RabbitFailover, 'error'> | undefined
}

export interface OutboxHealth {
  /** Accepted and not settled. */
  readonly messages: number
  readonly bytes: number
  /** Sent and not confirmed. */
  readonly unconfirmed: number
  /** Publishes that wait for room. */
  readonly waiting: number
}

// From what is best to what is worst for those who wait.
const states: readonly LinkHealth['state'][] = [
  'ready',
  'suspended',
  'restoring',
  'dialing',
  'waiting',
  'closed',
]

/** The worse of two connections; one that was never used does not count. */
export function worstState(a: LinkHealth['state'], b: LinkHealth['state']): LinkHealth['state'] {
  return states.indexOf(a) > states.indexOf(b) ? a : b
}
