import type { Clock, HaError, Link } from '@ha/core'
import { detachStack, leaseOf, Notifier } from '@ha/core/driver'
import type { ZookeeperConnection } from '../connection/connection.ts'
import type { Granted } from '../connection/handshake.ts'
import type { Hello } from '../driver/greeting.ts'
import type { Sessions } from '../ground.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { Current } from './current.ts'
import type { LiveSession } from './live-session.ts'
import { sessionName } from './session-name.ts'

export interface SessionsParts {
  readonly clock: Clock
  /** What is asked for, in milliseconds; the servers grant what their limits allow. */
  readonly timeoutMs: number
  /** Called when a session is over, before anything else hears of it. */
  readonly onOver: (session: LiveSession, error: HaError) => void
  /** Called when a server has granted a session that there was not before. */
  readonly onBegun: (session: LiveSession) => void
}

type Standing =
  /** The next handshake asks for a new session. */
  | { readonly kind: 'none' }
  | { readonly kind: 'live'; readonly current: Current }
  /** There will be no other; `left` is what the servers may still have. */
  | { readonly kind: 'closed'; readonly left: Current | undefined }

/**
 * The sessions of one client, one after the other. A session ends when a server says so, or when our own clock says
 * that a server may have ended it: from then on it is not used any more, whatever a server says later.
 */
export class OwnSessions implements Sessions {
  readonly changed: Notifier = new Notifier()
  readonly #parts: SessionsParts
  // What was ours is taken over, and never mistaken for a stranger's. The latest ones, in their order.
  readonly #earlier = new Set<bigint>()
  #standing: Standing = { kind: 'none' }
  #epoch = 0
  #lastZxid = 0n
  #connection: ZookeeperConnection | undefined
  #link: Link<ZookeeperConnection> | undefined

  constructor(parts: SessionsParts) {
    this.#parts = parts
  }

  get current(): LiveSession | undefined {
    return this.#standing.kind === 'live' ? this.#standing.current : undefined
  }

  /** The session of a closed client, until the servers have ended it. */
  get left(): LiveSession | undefined {
    return this.#standing.kind === 'closed' ? this.#standing.left : undefined
  }

  get connected(): boolean {
    return this.#link?.state.kind === 'ready'
  }

  /** The highest transaction that any answer has told of: no server that is behind it takes us. */
  get lastZxid(): bigint {
    const seen = this.#connection?.lastZxid ?? 0n
    if (seen > this.#lastZxid) this.#lastZxid = seen
    return this.#lastZxid
  }

  /** True of a session that was this client's and is over. */
  wasOurs(id: bigint): boolean {
    return this.#earlier.has(id)
  }

  /** Binds them to the connection that they live on. */
  follow(link: Link<ZookeeperConnection>): void {
    this.#link = link
    link.events.on('state', () => this.changed.notifyAll())
  }

  /** What the next handshake says. */
  hello(): Hello {
    const { timeoutMs } = this.#parts
    const wanted = this.#wanted()
    const sessionId = wanted?.id ?? 0n
    const password = wanted?.password ?? newPassword
    return { sessionId, password, lastZxid: this.lastZxid, timeoutMs }
  }

  // Also that of a closed client: it is taken over once more, to be ended.
  #wanted(): Current | undefined {
    switch (this.#standing.kind) {
      case 'none':
        return undefined
      case 'live':
        return this.#standing.current
      case 'closed':
        return this.#standing.left
    }
  }

  /**
   * A server has granted a session. Throws when it is one that we have given up: everybody has been told that it is
   * over.
   */
  granted(granted: Granted): void {
    if (this.#standing.kind === 'closed') {
      if (this.left?.id !== granted.sessionId) throw closed()
      return
    }
    if (this.#earlier.has(granted.sessionId)) throw givenUp(granted.sessionId)
    if (this.#standing.kind === 'live' && this.#standing.current.id === granted.sessionId) {
      this.#standing.current.grantedAgain(granted)
      return
    }
    this.end(replaced())
    this.#begin(granted)
  }

  /**
   * The session goes on over this connection. Throws when it was given up since it was granted: the process may have
   * stood still before the connection was made.
   */
  carriedBy(connection: ZookeeperConnection): void {
    const { sessionId } = connection.granted
    if (this.#wanted()?.id !== sessionId) throw givenUp(sessionId)
    this.#lastZxid = this.lastZxid
    this.#connection = connection
    if (this.#standing.kind === 'live') this.#standing.current.carriedBy(connection)
  }

  #begin(granted: Granted): void {
    this.#epoch += 1
    const { clock, onBegun } = this.#parts
    const onUncertain = (error: HaError): void => this.#lose(current, error)
    const current = new Current({ granted, epoch: this.#epoch, clock, onUncertain })
    this.#standing = { kind: 'live', current }
    onBegun(current)
    this.changed.notifyAll()
  }

  /** The servers do not have the session any more: a server said so, or has ended it for us. */
  gone(sessionId: bigint): void {
    if (this.current?.id === sessionId) this.end(expiredBy())
    if (this.left?.id === sessionId) this.#standing = { kind: 'closed', left: undefined }
  }

  /** Ends the current session for us: its signal fires in this turn. */
  end(error: HaError): void {
    if (this.#standing.kind !== 'live') return
    const { current } = this.#standing
    this.#standing = { kind: 'none' }
    this.#remember(current.id)
    // A new session may begin anywhere, also on an ensemble that was made anew and counts from the beginning.
    this.#lastZxid = 0n
    this.#connection = undefined
    detachStack(error)
    current.end(error)
    this.#parts.onOver(current, error)
    this.changed.notifyAll()
  }

  #remember(id: bigint): void {
    this.#earlier.add(id)
    const [oldest] = this.#earlier
    if (this.#earlier.size > mostEarlier && oldest !== undefined) this.#earlier.delete(oldest)
  }

  /** Ends the session for us; there will be no other. */
  close(): void {
    const left = this.#standing.kind === 'live' ? this.#standing.current : undefined
    this.end(closed())
    this.#standing = { kind: 'closed', left }
    this.changed.notifyAll()
  }

  async live(signal: AbortSignal): Promise<LiveSession> {
    for (;;) {
      if (this.#standing.kind === 'closed' || this.#link === undefined) throw closed()
      await this.#link.acquire(signal)
      const { current } = this
      if (current !== undefined && this.connected) return current
      await this.changed.wait(signal)
    }
  }

  // Nothing proves any more that the servers still have it. A connection that it may still be on ends with it.
  #lose(current: Current, error: HaError): void {
    if (this.current !== current) return
    this.end(error)
    const link = this.#link
    const lease = link === undefined ? undefined : leaseOf(link.state)
    if (lease !== undefined) link?.fail(lease, error)
  }
}

// A session that we gave up lives on with the servers for its timeout at the most: of so many that ended, they have the
// latest few.
const mostEarlier = 1_000

// Sixteen zero bytes: what a client that has no session yet says.
const newPassword = Buffer.alloc(16)

function expiredBy(): ZookeeperError {
  return new ZookeeperError('session-lost', 'the servers have ended the session', { retryable: true })
}

function replaced(): ZookeeperError {
  return new ZookeeperError('session-lost', 'a server has granted another session', { retryable: true })
}

function givenUp(id: bigint): ZookeeperError {
  const message = `the session ${sessionName(id)} was given up before a connection carried it`
  return new ZookeeperError('session-lost', message, { retryable: true })
}

function closed(): ZookeeperError {
  return new ZookeeperError('closed', 'the client is closed')
}
