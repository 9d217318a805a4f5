import { type Clock, type Driver, type Endpoint, fullJitter, HaError, type Link } from '@ha/core'
import { detachStack, leaseOf, Notifier, raceAbort, retry, withDeadline } from '@ha/core/driver'
import type { ZookeeperConnection } from '../connection/connection.ts'
import type { SessionGrant } from '../connection/handshake.ts'
import { ZookeeperError } from '../errors.ts'
import { type ConnectRequest, formatSessionId } from '../protocol/packets.ts'
import { type LiveSession, Session, type Sessions } from './session.ts'

interface SessionManagerDeps {
  readonly clock: Clock
  /** The requested session timeout in milliseconds; the servers may grant another one. */
  readonly timeoutMs: number
  /** Called when a session has ended, before other parts of the client are notified. */
  readonly onEnded: (session: LiveSession, error: HaError) => void
  /** Called when a server has granted a new session. */
  readonly onStarted: (session: LiveSession) => void
}

type SessionState =
  /** The next handshake requests a new session. */
  | { readonly kind: 'none' }
  | { readonly kind: 'live'; readonly current: Session }
  /** The client is closed; `left` is the session that the servers may still have. */
  | { readonly kind: 'closed'; readonly left: Session | undefined }

/**
 * The sessions of one client, one after the other. A session ends when a server reports it, or when this client's clock
 * shows that a server may have ended it: from then on it is never used again, whatever a server replies later.
 */
export class SessionManager implements Sessions {
  readonly changed: Notifier = new Notifier()
  readonly #deps: SessionManagerDeps
  // Former sessions of this client, in their order: their ephemeral nodes may be taken over, unlike those of other
  // clients.
  readonly #former = new Set<bigint>()
  #state: SessionState = { kind: 'none' }
  #epoch = 0
  #lastZxid = 0n
  #connection: ZookeeperConnection | undefined
  #link: Link<ZookeeperConnection> | undefined

  constructor(deps: SessionManagerDeps) {
    this.#deps = deps
  }

  get current(): LiveSession | undefined {
    return this.#state.kind === 'live' ? this.#state.current : undefined
  }

  /** The session of a closed client, until the servers have ended it. */
  get unclosed(): LiveSession | undefined {
    return this.#state.kind === 'closed' ? this.#state.left : undefined
  }

  get connected(): boolean {
    return this.#link?.state.kind === 'ready'
  }

  /** The highest zxid of all replies: a server that is behind it does not accept this client. */
  get lastZxid(): bigint {
    const zxid = this.#connection?.lastZxid ?? 0n
    if (zxid > this.#lastZxid) this.#lastZxid = zxid
    return this.#lastZxid
  }

  /** Whether a session was this client's and has ended. */
  isFormerSession(id: bigint): boolean {
    return this.#former.has(id)
  }

  /** Attaches the link whose connections carry the sessions. */
  attach(link: Link<ZookeeperConnection>): void {
    this.#link = link
    link.events.on('state', () => this.changed.notifyAll())
  }

  /** The next handshake's request. */
  connectRequest(): ConnectRequest {
    const { timeoutMs } = this.#deps
    const session = this.#requestedSession()
    const sessionId = session?.id ?? 0n
    const password = session?.password ?? emptyPassword
    return { sessionId, password, lastZxid: this.lastZxid, timeoutMs }
  }

  // Also the session of a closed client, which is resumed once more in order to be closed.
  #requestedSession(): Session | undefined {
    switch (this.#state.kind) {
      case 'none':
        return undefined
      case 'live':
        return this.#state.current
      case 'closed':
        return this.#state.left
    }
  }

  /** A server has granted a session. Throws for a session that was given up: its end has been announced. */
  sessionGranted(grant: SessionGrant): void {
    if (this.#state.kind === 'closed') {
      if (this.unclosed?.id !== grant.sessionId) throw clientClosedError()
      return
    }
    if (this.#former.has(grant.sessionId)) throw sessionAbandonedError(grant.sessionId)
    if (this.#state.kind === 'live' && this.#state.current.id === grant.sessionId) {
      this.#state.current.renewGrant(grant)
      return
    }
    this.endSession(sessionReplacedError())
    this.#begin(grant)
  }

  /**
   * The session continues over this connection. Throws when it was given up since the grant: the process may have been
   * suspended before the connection was complete.
   */
  attachConnection(connection: ZookeeperConnection): void {
    const { sessionId } = connection.grant
    if (this.#requestedSession()?.id !== sessionId) throw sessionAbandonedError(sessionId)
    this.#lastZxid = this.lastZxid
    this.#connection = connection
    if (this.#state.kind === 'live') this.#state.current.attachConnection(connection)
  }

  #begin(grant: SessionGrant): void {
    this.#epoch += 1
    const { clock, onStarted: onBegun } = this.#deps
    const onExpired = (error: HaError): void => this.#giveUp(current, error)
    const current = new Session({ grant, epoch: this.#epoch, clock, onExpired })
    this.#state = { kind: 'live', current }
    onBegun(current)
    this.changed.notifyAll()
  }

  /** The servers do not have the session any more: a server said so, or has closed it for this client. */
  sessionExpired(sessionId: bigint): void {
    if (this.current?.id === sessionId) this.endSession(sessionExpiredError())
    if (this.unclosed?.id === sessionId) this.#state = { kind: 'closed', left: undefined }
  }

  /** Ends the current session for this client: its signal fires synchronously. */
  endSession(error: HaError): void {
    if (this.#state.kind !== 'live') return
    const { current } = this.#state
    this.#state = { kind: 'none' }
    this.#remember(current.id)
    // A new session may begin with any zxid, also at an ensemble that was rebuilt and counts from the beginning.
    this.#lastZxid = 0n
    this.#connection = undefined
    detachStack(error)
    current.end(error)
    this.#deps.onEnded(current, error)
    this.changed.notifyAll()
  }

  #remember(id: bigint): void {
    this.#former.add(id)
    const [oldest] = this.#former
    if (this.#former.size > maxFormerSessions && oldest !== undefined) this.#former.delete(oldest)
  }

  /** Ends the session for this client, which will have no other. */
  close(): void {
    const left = this.#state.kind === 'live' ? this.#state.current : undefined
    this.endSession(clientClosedError())
    this.#state = { kind: 'closed', left }
    this.changed.notifyAll()
  }

  async waitForSession(signal: AbortSignal): Promise<LiveSession> {
    for (;;) {
      if (this.#state.kind === 'closed' || this.#link === undefined) throw clientClosedError()
      await this.#link.acquire(signal)
      const { current } = this
      if (current !== undefined && this.connected) return current
      await this.changed.wait(signal)
    }
  }

  // No reply proves any longer that the servers have the session. A connection that may still carry it is dropped.
  #giveUp(current: Session, error: HaError): void {
    if (this.current !== current) return
    this.endSession(error)
    const link = this.#link
    const lease = link === undefined ? undefined : leaseOf(link.state)
    if (lease !== undefined) link?.fail(lease, error)
  }
}

// A session that was given up lives on the servers for at most its timeout: the latest 1 000 are more than can be
// there.
const maxFormerSessions = 1_000

// Sixteen zero bytes: the password of a client that has no session yet.
const emptyPassword = Buffer.alloc(16)

function sessionExpiredError(): ZookeeperError {
  return new ZookeeperError('session-lost', 'the servers have ended the session', { retryable: true })
}

function sessionReplacedError(): ZookeeperError {
  return new ZookeeperError('session-lost', 'a server has granted a new session', { retryable: true })
}

function sessionAbandonedError(id: bigint): ZookeeperError {
  const message = `the session ${formatSessionId(id)} was given up before its connection was complete`
  return new ZookeeperError('session-lost', message, { retryable: true })
}

/** The error of calls to a closed client. */
export function clientClosedError(): ZookeeperError {
  return new ZookeeperError('closed', 'the client is closed')
}

/** Dependencies of {@link closeSession}. */
export interface CloseSessionDeps {
  readonly driver: Driver<ZookeeperConnection>
  readonly sessions: SessionManager
  readonly clock: Clock
  readonly random: () => number
  /** The servers in the order in which to try them; a new order with each call. */
  readonly plan: () => readonly Endpoint[]
}

const closeBackoff = fullJitter({ baseMs: 50, maxMs: 250 })

/**
 * Closes the session that a closed client has left on the servers: asks one server after the other, each over a new
 * connection, until one has closed it or reports that it has ended, at the latest after `timeoutMs`. Never rejects: a
 * session that could not be closed ends by its timeout.
 */
export async function closeSession(deps: CloseSessionDeps, timeoutMs: number): Promise<void> {
  const { clock, random, sessions } = deps
  if (sessions.unclosed === undefined) return
  const expired = (): HaError => closeTimeoutError('the session', timeoutMs)
  const closing = withDeadline(clock, { timeoutMs, expired }, (signal) =>
    retry({ clock, random, backoff: closeBackoff, isFinal: () => false, signal }, () =>
      closeAtAny(deps, timeoutMs, signal),
    ),
  )
  await closing.catch(() => undefined)
}

// Each server gets its share of the time: one that accepts the connection and does not answer leaves time for the others.
async function closeAtAny(deps: CloseSessionDeps, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const endpoints = deps.plan()
  const shareMs = Math.max(1, timeoutMs / endpoints.length)
  for (const endpoint of endpoints) {
    await closeAt(deps, endpoint, shareMs, signal)
    if (deps.sessions.unclosed === undefined) return
  }
  throw closeTimeoutError('the session', timeoutMs)
}

async function closeAt(
  { driver, clock }: CloseSessionDeps,
  endpoint: Endpoint,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const expired = (): HaError => closeTimeoutError(endpoint.host, timeoutMs)
  const closing = withDeadline(clock, { timeoutMs, signal, expired }, async (inner) => {
    const connection = await driver.open(endpoint, inner)
    await raceAbort(driver.close(connection), inner, () => undefined).finally(() =>
      driver.destroy(connection),
    )
  })
  // Whatever the error: the next server is tried.
  await closing.catch(() => undefined)
  signal.throwIfAborted()
}

function closeTimeoutError(what: string, timeoutMs: number): HaError {
  return new HaError('timed-out', `${what}: not closed within ${timeoutMs} ms`)
}
