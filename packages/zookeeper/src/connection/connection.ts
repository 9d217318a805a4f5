import { type Clock, type Endpoint, type HaError, isHaError } from '@ha/core'
import { deferred, detachStack, Emitter } from '@ha/core/driver'
import { type Reply, readEvent, readReply, requestFrame } from '../driver/envelope.ts'
import { MalformedError } from '../driver/malformed.ts'
import { sync } from '../driver/read-requests.ts'
import { ReplyError } from '../driver/reply-error.ts'
import { type Request, xids } from '../driver/request.ts'
import { auth, closeSession, ping } from '../driver/session-requests.ts'
import type { WatchEvent } from '../node.ts'
import { Agreement, asksLeader, confirms, isLeaders } from './agreement.ts'
import { ConnectionError } from './connection-error.ts'
import { lost, silentFor } from './ends.ts'
import type { Granted } from './handshake.ts'
import { type Heartbeat, type Life, startHeartbeat } from './heartbeat.ts'
import { InFlight, nextXid, type Pending, settle } from './in-flight.ts'
import { type ConnectionLimits, checkRequest } from './limits.ts'
import type { Login } from './login.ts'
import { TooLargeError } from './too-large-error.ts'
import type { Wire } from './wire.ts'

export interface ConnectionParts {
  readonly endpoint: Endpoint
  /** The wire, after its handshake. */
  readonly wire: Wire
  readonly clock: Clock
  readonly granted: Granted
  /** The latest transaction that was seen before. */
  readonly lastZxid: bigint
  readonly limits: ConnectionLimits
}

/** One connection of a session, which outlives it: requests, their answers in order, events, and the end. */
export class ZookeeperConnection {
  readonly endpoint: Endpoint
  readonly granted: Granted
  readonly #wire: Wire
  readonly #clock: Clock
  readonly #limits: ConnectionLimits
  readonly #inFlight = new InFlight()
  readonly #news = new Emitter<{ event: WatchEvent; end: HaError }>()
  readonly #agreement: Agreement
  readonly #heartbeat: Heartbeat
  #over: HaError | undefined
  #xid = 0
  #lastZxid: bigint
  #confirmedAtMs: number
  // When something was last sent that the leader has to answer.
  #askedLeaderAtMs: number
  #isCertain = false
  #otherEvents = 0

  constructor({ endpoint, wire, clock, granted, lastZxid, limits }: ConnectionParts) {
    this.endpoint = endpoint
    this.granted = granted
    this.#wire = wire
    this.#clock = clock
    this.#limits = limits
    this.#lastZxid = lastZxid
    this.#confirmedAtMs = granted.askedAtMs
    this.#askedLeaderAtMs = granted.askedAtMs
    this.#agreement = new Agreement(granted.askedAtMs, granted.timeoutMs)
    this.#heartbeat = this.#beat(granted.timeoutMs)
    wire.hear({
      frame: ({ bytes, wholeBytes }) => this.#take(readReply(bytes), wholeBytes),
      end: (cause) => this.#end(lost(cause, endpoint)),
    })
  }

  /** What the connection ended with, or undefined while it stands. */
  get over(): HaError | undefined {
    return this.#over
  }

  /** How many bytes came from the server. */
  get receivedBytes(): number {
    return this.#wire.receivedBytes
  }

  /** The latest transaction that the server told of in an answer. */
  get lastZxid(): bigint {
    return this.#lastZxid
  }

  /**
   * When the latest request was sent that any server has answered, by the clock. When this and the granted time have
   * passed the session is given up; until when it is certain follows from {@link agreedAtMs}. Events prove nothing of us.
   */
  get confirmedAtMs(): number {
    return this.#confirmedAtMs
  }

  /**
   * When the latest request was sent of which the leader must have known when it last answered: until this and the
   * granted time nobody can have ended the session, even where the server that we are connected to was cut off.
   */
  get agreedAtMs(): number {
    return this.#agreement.agreedAtMs
  }

  /** Asks the leader regularly, or leaves it at the server: every read waits behind such a question. */
  set isCertain(isCertain: boolean) {
    if (isCertain === this.#isCertain) return
    this.#isCertain = isCertain
    if (this.#over === undefined) this.#heartbeat.hurry()
  }

  get isCertain(): boolean {
    return this.#isCertain
  }

  /** How many events came that tell nothing of a node: of the session, of removed watches, and unknown ones. */
  get otherEvents(): number {
    return this.#otherEvents
  }

  /** How many requests wait for their answers. */
  get inFlight(): number {
    return this.#inFlight.count
  }

  /**
   * Sends a request, at once: what had to wait here for its turn could go out when nobody wants it any more. Rejects
   * with `ReplyError` when the server says no, with `MalformedError` when its yes cannot be read, with `TooLargeError`
   * when that or the request is too long, and with {@link ConnectionError} when there is no answer, or (`full`) no room
   * for one more.
   */
  send<T>(request: Request<T>): Promise<T> {
    return this.#post(request, true)
  }

  /** Asks for a sign of life, through everything that a request goes through. */
  ping(): Promise<void> {
    return this.#post(ping(), false)
  }

  /** Gives the session names, all at once. Rejects with the first that is refused; the server then hangs up. */
  async login(logins: readonly Login[]): Promise<void> {
    await Promise.all(logins.map(({ scheme, value }) => this.#post(auth(scheme, value), false)))
  }

  /** Calls the listener with what happens to watched nodes, until the returned function is called. */
  onEvent(listener: (event: WatchEvent) => void): () => void {
    return this.#news.on('event', listener)
  }

  /** Calls the listener once when the connection is over, or at once when it is already. */
  onEnd(listener: (error: HaError) => void): () => void {
    if (this.#over === undefined) return this.#news.once('end', listener)
    listener(this.#over)
    return () => undefined
  }

  /** Ends the session, and with it the connection. False when no server has said so. Hangs as long as the server does. */
  async end(): Promise<boolean> {
    const ending = this.#post(closeSession(), false)
    const isEnded = await ending.then(() => true).catch(() => false)
    this.destroy(new Error('the session was closed'))
    return isEnded
  }

  /** Ends the connection at once, and not the session: whatever is under way is rejected. May be called twice. */
  destroy(cause: Error = new Error('it was ended')): void {
    this.#end(isHaError(cause) ? cause : lost(cause, this.endpoint))
  }

  #post<T>(request: Request<T>, bounded: boolean): Promise<T> {
    if (this.#over !== undefined) {
      return Promise.reject(new ConnectionError('over', request.name, this.#over))
    }
    const answer = deferred<T>()
    const xid = request.fixedXid ?? nextXid(this.#xid)
    try {
      const frame = requestFrame(xid, request)
      checkRequest(frame, request.name, this.#limits)
      if (bounded && !this.#inFlight.hasRoom(frame.length, this.#limits)) {
        return Promise.reject(new ConnectionError('full', request.name))
      }
      if (request.fixedXid === undefined) this.#xid = xid
      const sentAtMs = this.#clock.now()
      if (asksLeader(request.opcode)) this.#askedLeaderAtMs = sentAtMs
      const read = (body: Buffer): void => settle(answer, () => request.decode(body))
      this.#inFlight.add({ xid, request, sentAtMs, bytes: frame.length, answer: read, reject: answer.reject })
      this.#wire.send(frame)
    } catch (thrown) {
      // What cannot be written: nothing was sent.
      answer.reject(thrown)
    }
    return answer.promise
  }

  #take(reply: Reply, wholeBytes: number): void {
    if (reply.xid === xids.event) {
      this.#tell(readEvent(reply.body))
      return
    }
    const pending = this.#inFlight.take(reply.xid)
    if (pending === undefined) {
      throw new MalformedError(`an answer to request ${reply.xid}, which was not the next to be answered`)
    }
    const { request } = pending
    if (confirms(reply)) this.#confirm(pending, reply.err)
    // A ping's answer may run ahead of events that are on their way.
    if (reply.xid !== xids.ping && reply.zxid > this.#lastZxid) this.#lastZxid = reply.zxid
    const { maxFrameBytes } = this.#limits
    if (reply.err !== 0)
      pending.reject(new ReplyError(reply.err, { request: request.name, path: request.path }))
    else if (wholeBytes <= maxFrameBytes) pending.answer(reply.body)
    else pending.reject(new TooLargeError('answer', request.name, wholeBytes, maxFrameBytes))
  }

  #confirm({ sentAtMs, request }: Pending, err: number): void {
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs, sentAtMs)
    const mark = { sentAtMs, answeredAtMs: this.#clock.now() }
    this.#agreement.answered(mark, isLeaders(request.opcode, err))
  }

  #beat(timeoutMs: number): Heartbeat {
    const life = (): Life => ({
      sentAtMs: this.#isCertain ? this.#askedLeaderAtMs : this.#wire.sentAtMs,
      heardAtMs: this.#wire.heardAtMs,
      isCertain: this.#isCertain,
    })
    const sign = (): void => {
      this.#post(this.#isCertain ? sync('/') : ping(), false).catch(() => undefined)
    }
    const silent = (quietMs: number): void => this.#end(silentFor(quietMs, this.endpoint))
    return startHeartbeat({ clock: this.#clock, life, timeoutMs, ping: sign, silent })
  }

  #tell(event: WatchEvent | undefined): void {
    if (event === undefined) this.#otherEvents += 1
    else this.#news.emit('event', event)
  }

  // The end is known before anybody hears of it: who asks again at once is told `over`.
  #end(error: HaError): void {
    if (this.#over !== undefined) return
    this.#over = detachStack(error)
    this.#heartbeat.stop()
    this.#wire.destroy(error)
    for (const { request, reject } of this.#inFlight.drain()) {
      reject(new ConnectionError('lost', request.name, error))
    }
    this.#news.emit('end', error)
  }
}
