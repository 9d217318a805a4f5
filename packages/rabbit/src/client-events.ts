import {
  type Clock,
  type DiagnosticsChannel,
  formatEndpoint,
  type HaError,
  type Link,
  type LinkStateKind,
} from '@ha/core'
import {
  channels,
  type Emitter,
  failoverEvents,
  leaseOf,
  unavailableReasonOf,
  withDeadline,
} from '@ha/core/driver'
import type { HandlerFailure } from './consumer/handler-runner.ts'
import type { AmqpConnection } from './driver/connection.ts'
import { topologyConflict } from './errors.ts'

/** The two connections of a client. */
export type Role = 'publish' | 'consume'

/** A failover from one node to another. */
export interface RabbitFailover {
  readonly role: Role
  readonly from: string
  readonly to: string
  /** The code of the error that ended the connection: `lost`, `unresponsive`, `stalled`, `failed-back` or `internal`. */
  readonly cause: string
  readonly error: Error
  /** How long the node had been unresponsive before the client left it, in milliseconds; 0 when it reported its end. */
  readonly detectMs: number
  /** From the loss to the next completed handshake, in milliseconds. */
  readonly dialMs: number
  /** From the handshake until channels, topology and consumers were restored, in milliseconds. */
  readonly restoreMs: number
  /** Number of unconfirmed messages that are sent again. */
  readonly replayed: number
}

/** The events of a client. An error of a listener does not affect the client. */
export type RabbitEvents = {
  readonly state: {
    readonly role: Role
    readonly state: LinkStateKind
    readonly endpoint: string | undefined
    /** Why there is no connection, such as a wrong password or a name that does not resolve; undefined when there is. */
    readonly error: Error | undefined
  }
  readonly failover: RabbitFailover
  /** The broker blocks publishers: it is low on memory or disk. Messages stay in the publish buffer. */
  readonly blocked: { readonly reason: string }
  readonly unblocked: Readonly<Record<never, never>>
  /** The node is alive but confirms no messages; the client tries another node. */
  readonly stalled: { readonly unconfirmed: number; readonly forMs: number }
  /** The broker refused an exchange, queue, binding or consumer. It is tried again with growing delay; everything else goes on. */
  readonly topologyConflict: { readonly key: string; readonly error: HaError }
  /**
   * The broker nacks the messages of this exchange and routing key for longer than an election takes: a queue is full.
   * Reported once, until it accepts one again; the other routes go on.
   */
  readonly routeRefused: { readonly exchange: string; readonly key: string; readonly error: HaError }
  /**
   * The broker ends the connection over this message, whose publish was rejected. It was found by sending one at a time
   * what was in flight at the end of the connection; everything else goes on.
   */
  readonly publishRejected: {
    readonly exchange: string
    readonly key: string
    readonly messageId: string
    readonly error: HaError
  }
  /** The broker cancelled a consumer, which subscribes again. */
  readonly consumerLost: { readonly queue: string; readonly error: Error }
  /** A redelivered message was answered without running its handler, which had finished before. */
  readonly ackReplayed: { readonly queue: string; readonly messageId: string | undefined }
  /**
   * A handler finished after its channel was closed, and the message has no id and more than 64 KiB: it will be handled
   * twice.
   */
  readonly ackLost: { readonly queue: string }
  /** A message could not be decoded, or its handler threw. Says how often, and what happens to the message. */
  readonly handlerFailed: HandlerFailure & { readonly queue: string }
  /**
   * The reply to a request did not reach its caller, and the request is acknowledged: `unroutable` when the reply queue
   * is gone, otherwise why the reply was not confirmed. `messageId` is that of the request.
   */
  readonly replyFailed: {
    readonly queue: string
    readonly messageId: string | undefined
    readonly correlationId: string | undefined
    readonly replyTo: string
    readonly error: HaError
  }
}

/** The diagnostics channels of this package, in addition to those of core. */
export const rabbitChannels: Readonly<Record<'laneLost', DiagnosticsChannel>> = channels('ha:rabbit', {
  /** `{ lane, how, error, connectionOver }` when a publisher needs another channel: it is closed, nacks or hangs. */
  laneLost: 'lane-lost',
})

interface LinkEventsDeps {
  readonly role: Role
  readonly link: Link<AmqpConnection>
  readonly clock: Clock
  readonly events: Emitter<RabbitEvents>
  /** Number of messages that were queued again so far; a failover reports the difference. */
  readonly replayed: () => number
  /** The timeout of one declaration: after this time all of them have been tried. */
  readonly declareTimeoutMs: number
}

/** Emits the events of one link as events of the client. */
export function emitLinkEvents(deps: LinkEventsDeps): void {
  emitStates(deps)
  emitFailovers(deps)
  deps.link.events.on('refused', ({ key, error }) => {
    deps.events.emit('topologyConflict', { key, error: topologyConflict(key, error) })
  })
}

function emitStates({ role, link, events }: LinkEventsDeps): void {
  let before: LinkStateKind = 'idle'
  link.events.on('state', (state) => {
    // Another round of dials is not another state.
    if (state.kind === before) return
    const endpoint = leaseOf(state)?.endpoint
    const error = unavailableReasonOf(state)
    events.emit('state', { role, state: state.kind, endpoint: endpoint && formatEndpoint(endpoint), error })
    if (state.kind === 'suspended') events.emit('blocked', { reason: state.reason })
    else if (before === 'suspended') events.emit('unblocked', {})
    before = state.kind
  })
}

// A failover has ended when every declaration has succeeded, was refused, or has had its time.
function emitFailovers(deps: LinkEventsDeps): void {
  const { role, link, events } = deps
  let watchedGeneration = 0
  let replayedBefore: number | undefined
  // Messages that are queued again while the connection is open do not belong to a failover. This listener is the first
  // one on the end of a connection, because the state is emitted before anything uses the connection.
  link.events.on('state', (state) => {
    const lease = leaseOf(state)
    if (lease === undefined || lease.generation === watchedGeneration) return
    watchedGeneration = lease.generation
    const onClosed = (): void => {
      replayedBefore ??= deps.replayed()
    }
    lease.connection.closed.addEventListener('abort', onClosed, { once: true })
  })
  failoverEvents(link, async (failover) => {
    const replayedNow = deps.replayed()
    const replayed = replayedNow - (replayedBefore ?? replayedNow)
    replayedBefore = undefined
    const restoreMs = failover.restoreMs + (await waitUntilRestored(deps))
    events.emit('failover', { role, ...failover, restoreMs, replayed })
  })
}

async function waitUntilRestored({ link, clock, declareTimeoutMs }: LinkEventsDeps): Promise<number> {
  const startedAtMs = clock.now()
  const { desiredState } = link
  const expired = (): Error => new Error('not all declarations are restored')
  const limit = { timeoutMs: declareTimeoutMs, signal: leaseOf(link.state)?.signal, expired }
  try {
    await withDeadline(clock, limit, async (signal) => {
      for (const key of desiredState.keys()) {
        while (!isFinished(desiredState.status(key)?.kind)) await desiredState.changed.wait(signal)
      }
    })
  } catch {
    // The health shows declarations that are still missing, and another loss is a failover of its own.
  }
  return clock.now() - startedAtMs
}

function isFinished(declaration: string | undefined): boolean {
  return declaration === undefined || declaration === 'held' || declaration === 'refused'
}
