import { type Clock, type Endpoint, type HaError, isHaError } from '@ha/core'
import { type Deferred, deferred, detachStack, Emitter } from '@ha/core/driver'
import type { WatchEvent } from '../node.ts'
import { loginDemanded, MalformedError, ReplyError } from '../protocol/error-codes.ts'
import { decodeEvent, decodeReply, encodeRequest, type Reply } from '../protocol/packets.ts'
import { type AuthInfo, auth, closeSession, ping, type Request, sync, xids } from '../protocol/requests.ts'
import { ConnectionError, connectionLost, serverUnresponsive, TooLargeError } from './error-classification.ts'
import type { SessionGrant } from './handshake.ts'
import {
  type ConnectionActivity,
  confirmsSession,
  type Heartbeat,
  isLeaderRequest,
  isLeaderResponse,
  LeaderContact,
  startHeartbeat,
} from './heartbeat.ts'
import {
  type ConnectionLimits,
  checkRequest,
  InFlight,
  nextXid,
  type PendingRequest,
  settle,
} from './in-flight.ts'
import type { Wire } from './wire.ts'

/** Dependencies of a connection. */
export interface ConnectionDeps {
  readonly endpoint: Endpoint
  /** The wire after its handshake. */
  readonly wire: Wire
  readonly clock: Clock
  readonly grant: SessionGrant
  /** The highest zxid of earlier connections. */
  readonly lastZxid: bigint
  readonly limits: ConnectionLimits
}

/**
 * One connection of a session: requests, their replies in order, watch events, and the end. The session outlives it.
 */
export class ZookeeperConnection {
  readonly endpoint: Endpoint
  readonly grant: SessionGrant
  readonly #wire: Wire
  readonly #clock: Clock
  readonly #limits: ConnectionLimits
  readonly #inFlight = new InFlight()
  readonly #events = new Emitter<{ event: WatchEvent; end: HaError }>()
  readonly #leaderContact: LeaderContact
  readonly #heartbeat: Heartbeat
  #endError: HaError | undefined
  #xid = 0
  #lastZxid: bigint
  #confirmedAtMs: number
  // When the latest request was sent that only the leader can answer.
  #askedLeaderAtMs: number
  #keepsLeaderContact = false
  #ignoredEvents = 0
  #loginDemand: ReplyError | undefined
  /** How many pending requests can use the beginning of a reply that is too long. */
  #cutReplies = 0
  /** Resolves when the last pending request is answered. */
  #idle: Deferred<void> | undefined

  constructor({ endpoint, wire, clock, grant, lastZxid, limits }: ConnectionDeps) {
    this.endpoint = endpoint
    this.grant = grant
    this.#wire = wire
    this.#clock = clock
    this.#limits = limits
    this.#lastZxid = lastZxid
    this.#confirmedAtMs = grant.askedAtMs
    this.#askedLeaderAtMs = grant.askedAtMs
    this.#leaderContact = new LeaderContact(grant.askedAtMs, grant.timeoutMs)
    this.#heartbeat = this.#startHeartbeat(grant.timeoutMs)
    wire.listen({
      frame: ({ bytes, wholeBytes }) => this.#receive(decodeReply(bytes), wholeBytes),
      end: (cause) => this.#end(connectionLost(cause, endpoint)),
    })
  }

  /** The error that the connection ended with, or undefined while it is open. */
  get endError(): HaError | undefined {
    return this.#endError
  }

  /** The number of bytes received from the server. */
  get receivedBytes(): number {
    return this.#wire.receivedBytes
  }

  /** The highest zxid of all replies. */
  get lastZxid(): bigint {
    return this.#lastZxid
  }

  /**
   * The clock time at which the latest answered request was sent. The session is given up when the granted timeout has
   * passed since then; {@link leaderContactAtMs} tells until when it is certain. Watch events prove nothing about the
   * session.
   */
  get confirmedAtMs(): number {
    return this.#confirmedAtMs
  }

  /**
   * The clock time at which the latest request was sent of which the leader must have known when it last answered:
   * until this time and the granted timeout no server can have ended the session, even if the connected server was
   * partitioned.
   */
  get leaderContactAtMs(): number {
    return this.#leaderContact.contactAtMs
  }

  /**
   * Whether to contact the leader regularly, or only the connected server: every read waits behind a request to the
   * leader.
   */
  set keepsLeaderContact(keeps: boolean) {
    if (keeps === this.#keepsLeaderContact) return
    this.#keepsLeaderContact = keeps
    if (this.#endError === undefined) this.#heartbeat.checkNow()
  }

  get keepsLeaderContact(): boolean {
    return this.#keepsLeaderContact
  }

  /** The number of events that concern no node: of the session, of removed watches, and of unknown types. */
  get ignoredEvents(): number {
    return this.#ignoredEvents
  }

  /** The number of requests without a reply. */
  get inFlight(): number {
    return this.#inFlight.count
  }

  /** The reply by which the server demanded a login and closed the connection; undefined when it did not. */
  get loginDemand(): ReplyError | undefined {
    return this.#loginDemand
  }

  /** Resolves when no request is without a reply, or when the connection has ended. */
  async whenIdle(): Promise<void> {
    while (this.#endError === undefined && this.#inFlight.count > 0) {
      this.#idle ??= deferred()
      await this.#idle.promise
    }
  }

  /**
   * Sends a request at once: there is no queue, from which a request could be sent after its caller has given up.
   * Rejects with `ReplyError` when the server refuses the request, with `MalformedError` when the reply cannot be
   * decoded, with `TooLargeError` when the request or the reply is too long, and with {@link ConnectionError} when
   * there is no reply, or (`full`) too many requests are pending.
   */
  send<T>(request: Request<T>): Promise<T> {
    return this.#post(request, true)
  }

  /** Sends a ping, which takes the same way as every request. */
  ping(): Promise<void> {
    return this.#post(ping(), false)
  }

  /**
   * Adds all credentials to the session at once. Rejects with the first refusal, after which the server closes
   * the connection.
   */
  async login(logins: readonly AuthInfo[]): Promise<void> {
    await Promise.all(logins.map(({ scheme, value }) => this.#post(auth(scheme, value), false)))
  }

  /** Calls the listener with each watch event, until the returned function is called. */
  onEvent(listener: (event: WatchEvent) => void): () => void {
    return this.#events.on('event', listener)
  }

  /** Calls the listener once when the connection has ended, also when it has already. */
  onEnd(listener: (error: HaError) => void): () => void {
    if (this.#endError === undefined) return this.#events.once('end', listener)
    listener(this.#endError)
    return () => undefined
  }

  /**
   * Closes the session, and with it the connection. False when the server did not confirm it. Waits for as long as the
   * server takes.
   */
  async closeSession(): Promise<boolean> {
    const ending = this.#post(closeSession(), false)
    const isEnded = await ending.then(() => true).catch(() => false)
    this.destroy(new Error('the session was closed'))
    return isEnded
  }

  /** Closes the connection at once, and not the session: pending requests are rejected. Idempotent. */
  destroy(cause: Error = new Error('the connection was closed')): void {
    this.#end(isHaError(cause) ? cause : connectionLost(cause, this.endpoint))
  }

  #post<T>(request: Request<T>, bounded: boolean): Promise<T> {
    if (this.#endError !== undefined) {
      return Promise.reject(new ConnectionError('over', request.name, this.#endError))
    }
    const answer = deferred<T>()
    const xid = request.fixedXid ?? nextXid(this.#xid)
    try {
      const frame = encodeRequest(xid, request)
      checkRequest(frame, request.name, this.#limits)
      if (bounded && !this.#inFlight.hasRoom(frame.length, this.#limits)) {
        return Promise.reject(new ConnectionError('full', request.name))
      }
      if (request.fixedXid === undefined) this.#xid = xid
      const sentAtMs = this.#clock.now()
      if (isLeaderRequest(request.opcode)) this.#askedLeaderAtMs = sentAtMs
      const read = (body: Buffer, isCut: boolean): void =>
        settle(answer, () => (isCut ? decodeCut(request, body) : request.decode(body)))
      this.#inFlight.add({ xid, request, sentAtMs, bytes: frame.length, answer: read, reject: answer.reject })
      if (request.decodeCut !== undefined) this.#countCut(1)
      this.#wire.send(frame)
    } catch (thrown) {
      // The request cannot be encoded: nothing was sent.
      answer.reject(thrown)
    }
    return answer.promise
  }

  #receive(reply: Reply, wholeBytes: number): void {
    if (reply.xid === xids.event) {
      this.#emitEvent(decodeEvent(reply.body))
      return
    }
    const pending = this.#inFlight.take(reply.xid)
    if (pending === undefined) {
      throw new MalformedError(`a reply to request ${reply.xid}, which is not the next one`)
    }
    const { request } = pending
    if (request.decodeCut !== undefined) this.#countCut(-1)
    if (confirmsSession(reply)) this.#confirm(pending, reply.err)
    // The reply to a ping may overtake events that are on their way.
    if (reply.xid !== xids.ping && reply.zxid > this.#lastZxid) this.#lastZxid = reply.zxid
    const { maxFrameBytes } = this.#limits
    if (reply.err !== 0) pending.reject(this.#replyError(reply.err, request))
    else if (wholeBytes <= maxFrameBytes || request.decodeCut !== undefined)
      pending.answer(reply.body, wholeBytes > maxFrameBytes)
    else pending.reject(new TooLargeError('reply', request.name, wholeBytes, maxFrameBytes))
    if (this.#inFlight.count === 0) this.#notifyIdle()
  }

  #replyError(code: number, { name, path }: Request<unknown>): ReplyError {
    const error = new ReplyError(code, { request: name, path })
    if (code === loginDemanded) this.#loginDemand = error
    return error
  }

  #countCut(change: 1 | -1): void {
    this.#cutReplies += change
    this.#wire.keepsBeginnings = this.#cutReplies > 0
  }

  #notifyIdle(): void {
    this.#idle?.resolve()
    this.#idle = undefined
  }

  #confirm({ sentAtMs, request }: PendingRequest, err: number): void {
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs, sentAtMs)
    const answered = { sentAtMs, answeredAtMs: this.#clock.now() }
    this.#leaderContact.responseReceived(answered, isLeaderResponse(request.opcode, err))
  }

  #startHeartbeat(timeoutMs: number): Heartbeat {
    const activity = (): ConnectionActivity => ({
      sentAtMs: this.#keepsLeaderContact ? this.#askedLeaderAtMs : this.#wire.sentAtMs,
      receivedAtMs: this.#wire.receivedAtMs,
      keepsLeaderContact: this.#keepsLeaderContact,
    })
    const sendPing = (): void => {
      this.#post(this.#keepsLeaderContact ? sync('/') : ping(), false).catch(() => undefined)
    }
    const unresponsive = (quietMs: number): void => this.#end(serverUnresponsive(quietMs, this.endpoint))
    return startHeartbeat({ clock: this.#clock, activity, timeoutMs, ping: sendPing, unresponsive })
  }

  #emitEvent(event: WatchEvent | undefined): void {
    if (event === undefined) this.#ignoredEvents += 1
    else this.#events.emit('event', event)
  }

  // The error is set before any listener runs: a request that a listener sends is rejected with `over`.
  #end(error: HaError): void {
    if (this.#endError !== undefined) return
    this.#endError = detachStack(error)
    this.#heartbeat.stop()
    this.#wire.destroy(error)
    for (const { request, reject } of this.#inFlight.drain()) {
      reject(new ConnectionError('lost', request.name, error))
    }
    this.#notifyIdle()
    this.#events.emit('end', error)
  }
}

function decodeCut<T>(request: Request<T>, body: Buffer): T {
  return (request.decodeCut ?? request.decode)(body)
}
