import { formatEndpoint, isHaError, type Link } from '@ha/core'
import { asError, Emitter, leaseOf } from '@ha/core/driver'
import { zookeeperChannels } from './channels.ts'
import type { ZookeeperConnection } from './connection/connection.ts'
import type { SessionTold, ZookeeperEvents } from './events.ts'
import type { LiveSession } from './session/live-session.ts'
import { sessionName } from './session/session-name.ts'
import type { OwnSessions } from './session/sessions.ts'
import { stateAfter, type ZookeeperState } from './state.ts'
import type { ZookeeperError } from './zookeeper-error.ts'

/** Keeps the state of a client, and tells what happens to it. */
export class Telling {
  readonly events: Emitter<ZookeeperEvents> = new Emitter<ZookeeperEvents>()
  readonly #askedMs: number
  #link: Link<ZookeeperConnection> | undefined
  #sessions: OwnSessions | undefined
  #state: ZookeeperState = 'connecting'
  // Of the last connection, so that a failover can say whether the session went on.
  #epoch = 0

  constructor(askedMs: number) {
    this.#askedMs = askedMs
  }

  get state(): ZookeeperState {
    return this.#state
  }

  follow(link: Link<ZookeeperConnection>, sessions: OwnSessions): void {
    this.#link = link
    this.#sessions = sessions
    link.events.on('state', () => this.look())
    link.events.on('refused', ({ key, error }) => this.defect(key, error))
    link.events.on('failover', ({ endpoint, to, error, detectMs, dialMs, restoreMs }) => {
      const epoch = sessions.current?.epoch ?? 0
      const sameSession = epoch === this.#epoch
      this.#epoch = epoch
      const cause = isHaError(error) ? error.code : 'lost'
      this.events.emit('failover', {
        from: endpoint,
        to,
        cause,
        error,
        detectMs,
        dialMs,
        restoreMs,
        sameSession,
      })
    })
  }

  /** Looks at what the state follows from, and tells it when it is another one. */
  look(): void {
    const link = this.#link
    if (link === undefined) return
    const lease = leaseOf(link.state)
    const next = stateAfter(this.#state, {
      isClosed: link.state.kind === 'closed',
      isReady: link.state.kind === 'ready',
      hasSession: this.#sessions?.current !== undefined,
    })
    if (next === 'connected') this.#epoch = this.#sessions?.current?.epoch ?? 0
    if (next === this.#state) return
    this.#state = next
    this.events.emit('state', { state: next, endpoint: lease && formatEndpoint(lease.endpoint) })
  }

  sessionBegun(session: LiveSession): void {
    const told = toldOf(session)
    if (zookeeperChannels.session.hasSubscribers) zookeeperChannels.session.publish(told)
    this.events.emit('sessionBegun', { ...told, askedMs: this.#askedMs })
  }

  sessionOver(session: LiveSession, error: Error): void {
    // The client ends its session itself when it is closed: that is no loss.
    if (isHaError(error) && error.code === 'closed') return
    const told = { ...toldOf(session), error }
    if (zookeeperChannels.session.hasSubscribers) zookeeperChannels.session.publish(told)
    this.look()
    this.events.emit('sessionLost', told)
  }

  unknown(name: string, error: ZookeeperError): void {
    const { path, endpoint } = error
    if (zookeeperChannels.outcome.hasSubscribers)
      zookeeperChannels.outcome.publish({ name, path, endpoint, error })
    this.events.emit('outcomeUnknown', { name, error })
  }

  defect(where: string, thrown: unknown): void {
    this.events.emit('defect', { where, error: asError(thrown) })
  }
}

function toldOf({ id, epoch, timeoutMs }: LiveSession): SessionTold {
  return { id: sessionName(id), epoch, timeoutMs }
}
