import { type Clock, type Failover, formatEndpoint, isHaError, type Link, type LinkStateKind } from '@ha/core'
import { type Emitter, leaseOf, withDeadline } from '@ha/core/driver'
import type { AmqpConnection } from './amqp/connection.ts'
import type { RabbitEvents, RabbitFailover, Role } from './events.ts'
import { conflictOf } from './topology/conflict.ts'

export interface TellingParts {
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
export function tellLink(parts: TellingParts): void {
  tellStates(parts)
  tellFailovers(parts)
  parts.link.events.on('refused', ({ key, error }) => {
    parts.events.emit('topologyConflict', { key, error: conflictOf(key, error) })
  })
}

function tellStates({ role, link, events }: TellingParts): void {
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
function tellFailovers(parts: TellingParts): void {
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
    lease.connection.over.addEventListener('abort', onOver, { once: true })
  })
  parts.link.events.on('failover', async (failover) => {
    const replayedNow = parts.replayed()
    const replayed = replayedNow - (replayedBefore ?? replayedNow)
    replayedBefore = undefined
    const extraMs = await restored(parts)
    const restoreMs = failover.restoreMs + extraMs
    parts.events.emit('failover', { ...told(parts.role, failover), restoreMs, replayed })
  })
}

function told(role: Role, failover: Failover): Omit<RabbitFailover, 'replayed' | 'restoreMs'> {
  const { endpoint, to, error, detectMs, dialMs } = failover
  return { role, from: endpoint, to, cause: isHaError(error) ? error.code : 'lost', error, detectMs, dialMs }
}

async function restored({ link, clock, declareTimeoutMs }: TellingParts): Promise<number> {
  const fromMs = clock.now()
  const { desiredState: ledger } = link
  const expired = (): Error => new Error('not everything is back yet')
  const limit = { timeoutMs: declareTimeoutMs, signal: leaseOf(link.state)?.signal, expired }
  try {
    await withDeadline(clock, limit, async (signal) => {
      for (const key of ledger.keys()) {
        while (!isOver(ledger.standing(key)?.kind)) await ledger.changed.wait(signal)
      }
    })
  } catch {
    // What is not back by now shows in the health, and the next loss is told on its own.
  }
  return clock.now() - fromMs
}

function isOver(standing: string | undefined): boolean {
  return standing === undefined || standing === 'held' || standing === 'refused'
}
