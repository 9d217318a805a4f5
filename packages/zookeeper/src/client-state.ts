import { type DiagnosticsChannel, formatEndpoint, type HaError, isHaError, type Link } from '@ha/core'
import { asError, channels, Emitter, failoverEvents, leaseOf, unavailableReasonOf } from '@ha/core/driver'
import type { ZookeeperConnection } from './connection/connection.ts'
import type { ZookeeperError } from './errors.ts'
import { formatSessionId } from './protocol/packets.ts'
import type { LiveSession } from './session/session.ts'
import type { SessionManager } from './session/session-manager.ts'

/** Keeps the state of a client, and emits its events. */
export class StateTracker {
  readonly events: Emitter<ZookeeperEvents> = new Emitter<ZookeeperEvents>()
  readonly #askedMs: number
  #link: Link<ZookeeperConnection> | undefined
  #sessions: SessionManager | undefined
  #state: ZookeeperState = 'connecting'
  // The epoch of the last connection: tells whether a failover kept the session.
  #epoch = 0
  #lastReason: string | undefined

  constructor(askedMs: number) {
    this.#askedMs = askedMs
  }

  get state(): ZookeeperState {
    return this.#state
  }

  attach(link: Link<ZookeeperConnection>, sessions: SessionManager): void {
    this.#link = link
    this.#sessions = sessions
    link.events.on('state', (state) => {
      this.update()
      if (state.kind === 'waiting') this.#connectFailed(state.error)
    })
    link.events.on('refused', ({ key, error }) => this.reportDefect(key, error))
    failoverEvents(link, (failover) => {
      const epoch = sessions.current?.epoch ?? 0
      const sameSession = epoch === this.#epoch
      this.#epoch = epoch
      this.events.emit('failover', { ...failover, sameSession })
    })
  }

  /** Derives the state from the link and the session, and emits it when it has changed. */
  update(): void {
    const link = this.#link
    if (link === undefined) return
    const lease = leaseOf(link.state)
    const next = nextState(this.#state, {
      isClosed: link.state.kind === 'closed',
      isReady: link.state.kind === 'ready',
      hasSession: this.#sessions?.current !== undefined,
    })
    if (next === 'connected') this.#epoch = this.#sessions?.current?.epoch ?? 0
    if (next === this.#state) return
    this.#state = next
    if (lease !== undefined) this.#lastReason = undefined
    const error = unavailableReasonOf(link.state)
    this.events.emit('state', { state: next, endpoint: lease && formatEndpoint(lease.endpoint), error })
  }

  // Once for each reason: every round of dials ends with one.
  #connectFailed(error: HaError): void {
    if (error.message === this.#lastReason) return
    this.#lastReason = error.message
    this.events.emit('connectFailed', { error })
  }

  sessionStarted(session: LiveSession): void {
    const info = sessionInfo(session)
    if (zookeeperChannels.session.hasSubscribers) zookeeperChannels.session.publish(info)
    this.events.emit('sessionBegun', { ...info, askedMs: this.#askedMs })
  }

  sessionEnded(session: LiveSession, error: Error): void {
    // Closing the client ends its session: that is not a loss.
    if (isHaError(error) && error.code === 'closed') return
    const info = { ...sessionInfo(session), error }
    if (zookeeperChannels.session.hasSubscribers) zookeeperChannels.session.publish(info)
    this.update()
    this.events.emit('sessionLost', info)
  }

  outcomeUnknown(name: string, error: ZookeeperError): void {
    const { path, endpoint } = error
    if (zookeeperChannels.outcome.hasSubscribers)
      zookeeperChannels.outcome.publish({ name, path, endpoint, error })
    this.events.emit('outcomeUnknown', { name, error })
  }

  reportDefect(where: string, thrown: unknown): void {
    this.events.emit('defect', { where, error: asError(thrown) })
  }
}

function sessionInfo({ id, epoch, timeoutMs }: LiveSession): SessionInfo {
  return { id: formatSessionId(id), epoch, timeoutMs }
}

/**
 * The state of a client, in Curator’s terms. `connected` is the first connection and `reconnected` each later one;
 * `suspended`: the connection is lost and the session may still live; `lost`: the session has ended, or may have.
 */
export type ZookeeperState = 'connecting' | 'connected' | 'suspended' | 'lost' | 'reconnected' | 'closed'

/** What the state is derived from. */
interface StateFacts {
  readonly isClosed: boolean
  /** Whether operations can run now. */
  readonly isReady: boolean
  /** Whether there is a session that this client has not given up. */
  readonly hasSession: boolean
}

/** The state that follows on another one. */
function nextState(before: ZookeeperState, facts: StateFacts): ZookeeperState {
  if (before === 'closed' || facts.isClosed) return 'closed'
  if (facts.isReady) return before === 'connecting' || before === 'connected' ? 'connected' : 'reconnected'
  if (before === 'connecting') return 'connecting'
  // A new session without a ready connection keeps the state `lost`.
  return before === 'lost' || !facts.hasSession ? 'lost' : 'suspended'
}

/** A move from one server to the next. */
export interface ZookeeperFailover {
  readonly from: string
  readonly to: string
  /** The code of the error: `lost`, `unresponsive`, `session-lost`, or `internal` for a defect of this package. */
  readonly cause: string
  readonly error: Error
  /** How long the server had been silent before it was given up; 0 when it closed the connection. */
  readonly detectMs: number
  /** From the loss to the next completed handshake. */
  readonly dialMs: number
  /** From the handshake until the watches were restored. */
  readonly restoreMs: number
  /** Whether the session was kept. */
  readonly sameSession: boolean
}

/** A session in the events: its id as the servers write it, such as `0x100a2b3c4d50000`. */
export interface SessionInfo {
  readonly id: string
  readonly epoch: number
  readonly timeoutMs: number
}

/** The events of a client. An error that a listener throws is reported as `defect`. */
export type ZookeeperEvents = {
  readonly state: {
    readonly state: ZookeeperState
    readonly endpoint: string | undefined
    /** Why there is no connection; undefined when there is one. */
    readonly error: Error | undefined
  }
  /** No server could be reached, and why; emitted again when the reason changes. The client keeps trying. */
  readonly connectFailed: { readonly error: HaError }
  readonly failover: ZookeeperFailover
  /** A session was granted; `askedMs` differs from its `timeoutMs` when the servers limit the timeout. */
  readonly sessionBegun: SessionInfo & { readonly askedMs: number }
  /** A session has ended: its ephemeral nodes, and the leases that depend on them, are lost. */
  readonly sessionLost: SessionInfo & { readonly error: Error }
  /** An operation ended and it is not known whether it happened. */
  readonly outcomeUnknown: { readonly name: string; readonly error: ZookeeperError }
  /**
   * A listener or a function of the application threw, the servers permanently refused what the client declares (such
   * as the chroot), or an internal invariant was violated. Nothing ends.
   */
  readonly defect: { readonly where: string; readonly error: Error }
}

/** The diagnostics channels of this package, beside those of core. */
export const zookeeperChannels: Readonly<Record<'session' | 'outcome', DiagnosticsChannel>> = channels(
  'ha:zookeeper',
  {
    /** `{ id, epoch, timeoutMs, error }`: a session has begun, or has ended when there is an `error`. */
    session: 'session',
    /** `{ name, path, endpoint, error }`: an operation ended with `outcome: 'unknown'`. */
    outcome: 'outcome',
  },
)
