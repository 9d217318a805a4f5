import { type DiagnosticsChannel, formatEndpoint, isHaError, type Link } from '@ha/core'
import { asError, channels, Emitter, failoverEvents, leaseOf } from '@ha/core/driver'
import type { ZookeeperConnection } from './connection/connection.ts'
import type { ZookeeperError } from './errors.ts'
import { formatSessionId } from './protocol/packets.ts'
import type { LiveSession } from './session/session.ts'
import type { SessionManager } from './session/sessions.ts'

/** Keeps the state of a client, and tells what happens to it. */
export class StateTracker {
  readonly events: Emitter<ZookeeperEvents> = new Emitter<ZookeeperEvents>()
  readonly #askedMs: number
  #link: Link<ZookeeperConnection> | undefined
  #sessions: SessionManager | undefined
  #state: ZookeeperState = 'connecting'
  // Of the last connection, so that a failover can say whether the session went on.
  #epoch = 0

  constructor(askedMs: number) {
    this.#askedMs = askedMs
  }

  get state(): ZookeeperState {
    return this.#state
  }

  attach(link: Link<ZookeeperConnection>, sessions: SessionManager): void {
    this.#link = link
    this.#sessions = sessions
    link.events.on('state', () => this.update())
    link.events.on('refused', ({ key, error }) => this.reportDefect(key, error))
    failoverEvents(link, (failover) => {
      const epoch = sessions.current?.epoch ?? 0
      const sameSession = epoch === this.#epoch
      this.#epoch = epoch
      this.events.emit('failover', { ...failover, sameSession })
    })
  }

  /** Looks at what the state follows from, and tells it when it is another one. */
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
    this.events.emit('state', { state: next, endpoint: lease && formatEndpoint(lease.endpoint) })
  }

  sessionStarted(session: LiveSession): void {
    const info = sessionInfo(session)
    if (zookeeperChannels.session.hasSubscribers) zookeeperChannels.session.publish(info)
    this.events.emit('sessionBegun', { ...info, askedMs: this.#askedMs })
  }

  sessionEnded(session: LiveSession, error: Error): void {
    // The client ends its session itself when it is closed: that is no loss.
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
 * How a client stands to its ensemble, in Curator’s words. `connected` is the first connection and `reconnected` each
 * later one; `suspended`: the connection is lost and the session may still live; `lost`: the session is over, or may be.
 */
export type ZookeeperState = 'connecting' | 'connected' | 'suspended' | 'lost' | 'reconnected' | 'closed'

/** What a state follows from. */
interface StateFacts {
  readonly isClosed: boolean
  /** Operations run at this moment. */
  readonly isReady: boolean
  /** There is a session that is not over for us. */
  readonly hasSession: boolean
}

/** The state that follows on another one. */
function nextState(before: ZookeeperState, facts: StateFacts): ZookeeperState {
  if (before === 'closed' || facts.isClosed) return 'closed'
  if (facts.isReady) return before === 'connecting' || before === 'connected' ? 'connected' : 'reconnected'
  if (before === 'connecting') return 'connecting'
  // A new session that nothing runs in yet is no reason for hope.
  return before === 'lost' || !facts.hasSession ? 'lost' : 'suspended'
}

/** From one server to the next. */
export interface ZookeeperFailover {
  readonly from: string
  readonly to: string
  /** The code of what happened: `lost`, `unresponsive`, `session-lost`, or `internal` for a defect of ours. */
  readonly cause: string
  readonly error: Error
  /** How long the server had been quiet before it was left; 0 when the end was announced. */
  readonly detectMs: number
  /** From the loss to the next completed handshake. */
  readonly dialMs: number
  /** From the handshake until the watches were set again. */
  readonly restoreMs: number
  /** Whether the session went on. */
  readonly sameSession: boolean
}

/** A session in the events: its id as the servers write it, such as `0x100a2b3c4d50000`. */
export interface SessionInfo {
  readonly id: string
  readonly epoch: number
  readonly timeoutMs: number
}

/** What a client tells. A listener that throws hurts only itself. */
export type ZookeeperEvents = {
  readonly state: { readonly state: ZookeeperState; readonly endpoint: string | undefined }
  readonly failover: ZookeeperFailover
  /** A session was granted; `askedMs` differs from its `timeoutMs` where the servers’ limits are others. */
  readonly sessionBegun: SessionInfo & { readonly askedMs: number }
  /** A session is over: everything that it held is not held any more. */
  readonly sessionLost: SessionInfo & { readonly error: Error }
  /** An operation ended and nobody knows whether it happened. */
  readonly outcomeUnknown: { readonly name: string; readonly error: ZookeeperError }
  /**
   * A listener or a check of the user’s threw, the servers refused for good what the client keeps (as the chroot), or
   * something that we hold to be impossible happened. Nothing ends.
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
