import { channel } from 'node:diagnostics_channel'
import {
  type Clock,
  type DiagnosticsChannel,
  type Failover,
  formatEndpoint,
  type HaError,
  isHaError,
  type Link,
  type LinkStateKind,
} from '@ha/core'
import { type Emitter, leaseOf, withDeadline } from '@ha/core/driver'
import type { AmqpConnection } from './driver/connection.ts'
import { topologyConflict } from './errors.ts'

/** The two connections of a client. */
export type Role = 'publish' | 'consume'

/** From one node to the next. */
export interface RabbitFailover {
  readonly role: Role
  readonly from: string
  readonly to: string
  /** The code of what happened: `lost`, `unresponsive`, `stalled`, `failed-back`, or `internal` for a defect of ours. */
  readonly cause: string
  readonly error: Error
  /** How long the node had been quiet before it was given up; 0 when the end was announced. */
  readonly detectMs: number
  /** From the loss to the next completed handshake. */
  readonly dialMs: number
  /** From the handshake until channels, topology and consumers were back. */
  readonly restoreMs: number
  /** How many unconfirmed messages are sent again. */
  readonly replayed: number
}

/** What a client tells. A listener that throws hurts only itself. */
export type RabbitEvents = {
  readonly state: {
    readonly role: Role
    readonly state: LinkStateKind
    readonly endpoint: string | undefined
  }
  readonly failover: RabbitFailover
  /** The broker asks publishers to wait: memory or disk is low. Messages stay in the outbox. */
  readonly blocked: { readonly reason: string }
  readonly unblocked: Readonly<Record<never, never>>
  /** The node answers and confirms nothing; another one is tried. */
  readonly stalled: { readonly unconfirmed: number; readonly forMs: number }
  /** An exchange, queue, binding or consumer was refused for good. Everything else goes on. */
  readonly topologyConflict: { readonly key: string; readonly error: HaError }
  /** The broker took a consumer away; it is put back. */
  readonly consumerLost: { readonly queue: string; readonly error: Error }
  /** A message that came again was answered without its handler, which had finished before. */
  readonly ackReplayed: { readonly queue: string; readonly messageId: string }
  /** A handler finished after its channel was gone, and the message has no id of its own: it will be handled twice. */
  readonly ackLost: { readonly queue: string }
  readonly handlerFailed: {
    readonly queue: string
    readonly messageId: string | undefined
    readonly error: Error
  }
}

interface LinkEventsDeps {
  readonly role: Role
  readonly link: Link<AmqpConnection>
  readonly clock: Clock
  readonly events: Emitter<RabbitEvents>
  /** How many messages were put back so far; a failover tells the difference. */
  readonly replayed: () => number
  /** How long one declaration may take: by then all of them have been tried. */
  readonly declareTimeoutMs: number
}

/** Tells the user what happens to one link, in the words of RabbitMQ. */
export function emitLinkEvents(parts: LinkEventsDeps): void {
  emitStates(parts)
  emitFailovers(parts)
  parts.link.events.on('refused', ({ key, error }) => {
    parts.events.emit('topologyConflict', { key, error: topologyConflict(key, error) })
  })
}

function emitStates({ role, link, events }: LinkEventsDeps): void {
  let before: LinkStateKind = 'idle'
  link.events.on('state', (state) => {
    // Another round of dials is no other state.
    if (state.kind === before) return
    const endpoint = leaseOf(state)?.endpoint
    events.emit('state', { role, state: state.kind, endpoint: endpoint && formatEndpoint(endpoint) })
    if (state.kind === 'suspended') events.emit('blocked', { reason: state.reason })
    else if (before === 'suspended') events.emit('unblocked', {})
    before = state.kind
  })
}

// A failover is over when everything that was declared has been put back, or has had its time.
function emitFailovers(parts: LinkEventsDeps): void {
  let watched = 0
  let replayedBefore: number | undefined
  // What is put back while the connection stands is no part of a failover. Its end is heard here first: the state is
  // told before anything is put on the connection.
  parts.link.events.on('state', (state) => {
    const lease = leaseOf(state)
    if (lease === undefined || lease.generation === watched) return
    watched = lease.generation
    const onOver = (): void => {
      replayedBefore ??= parts.replayed()
    }
    lease.connection.closed.addEventListener('abort', onOver, { once: true })
  })
  parts.link.events.on('failover', async (failover) => {
    const replayedNow = parts.replayed()
    const replayed = replayedNow - (replayedBefore ?? replayedNow)
    replayedBefore = undefined
    const extraMs = await waitUntilRestored(parts)
    const restoreMs = failover.restoreMs + extraMs
    parts.events.emit('failover', { ...failoverFields(parts.role, failover), restoreMs, replayed })
  })
}

function failoverFields(role: Role, failover: Failover): Omit<RabbitFailover, 'replayed' | 'restoreMs'> {
  const { endpoint, to, error, detectMs, dialMs } = failover
  return { role, from: endpoint, to, cause: isHaError(error) ? error.code : 'lost', error, detectMs, dialMs }
}

async function waitUntilRestored({ link, clock, declareTimeoutMs }: LinkEventsDeps): Promise<number> {
  const fromMs = clock.now()
  const { desiredState: ledger } = link
  const expired = (): Error => new Error('not everything is back yet')
  const limit = { timeoutMs: declareTimeoutMs, signal: leaseOf(link.state)?.signal, expired }
  try {
    await withDeadline(clock, limit, async (signal) => {
      for (const key of ledger.keys()) {
        while (!isFinished(ledger.standing(key)?.kind)) await ledger.changed.wait(signal)
      }
    })
  } catch {
    // What is not back by now shows in the health, and the next loss is told on its own.
  }
  return clock.now() - fromMs
}

function isFinished(standing: string | undefined): boolean {
  return standing === undefined || standing === 'held' || standing === 'refused'
}

/** The diagnostics channels of this package, beside those of the core. Free while nobody subscribes. */
export const rabbitChannels: Readonly<Record<'laneLost', DiagnosticsChannel>> = {
  /** `{ lane, how, error, connectionOver }` when a publisher's channel is over, refuses messages or hangs. */
  laneLost: channel('ha:rabbit:lane-lost'),
}
