import type { Clock, HaError } from '@ha/core'
import { type LinkedController, linkedController, type Notifier } from '@ha/core/driver'
import type { ZookeeperConnection } from '../connection/connection.ts'
import type { SessionGrant } from '../connection/handshake.ts'
import { ZookeeperError } from '../errors.ts'
import { formatSessionId } from '../protocol/packets.ts'

/** One session of the client, from the grant of a server until this client regards it as ended. */
export interface LiveSession {
  readonly id: bigint
  /** 1 for the first session of a client, one more for each after it. */
  readonly epoch: number
  /** The timeout that the server granted, in milliseconds. */
  readonly timeoutMs: number
  /**
   * Fires when the session has ended for this client: by its own clock, by a server's reply, or because the client was
   * closed.
   */
  readonly signal: AbortSignal
  /** The clock time at which the latest answered request was sent, whichever server answered. */
  readonly confirmedAtMs: number
  /**
   * The clock time until which no server can have ended the session. Only the leader ends sessions, and the connected
   * server may itself be partitioned from the leader: the time counts from the sending of the latest request of which
   * the leader must have known when it answered a later one. What the session holds is certain until then and no
   * longer. The session itself is given up later, when no server has answered for its whole timeout.
   */
  readonly certainUntilMs: number
  /** Keeps the session certain by regular requests to the leader, until the returned function is called. */
  keepCertain(): () => void
}

/** The sessions of a client, one after the other. */
export interface Sessions {
  /** The session that has been granted and has not ended; also while its connection is lost. */
  readonly current: LiveSession | undefined
  /** Whether operations can run now. */
  readonly connected: boolean
  /** Notifies when {@link current} or {@link connected} has changed. */
  readonly changed: Notifier
  /** Waits until operations can run, and returns their session. Rejects with the signal's reason, or `closed`. */
  waitForSession(signal: AbortSignal): Promise<LiveSession>
}

interface SessionDeps {
  readonly grant: SessionGrant
  readonly epoch: number
  readonly clock: Clock
  /** Called when no server has answered for the whole timeout. */
  readonly onExpired: (error: HaError) => void
}

/** The current session of a client, and until when it is certain. */
export class Session implements LiveSession {
  readonly id: bigint
  readonly epoch: number
  readonly #deps: SessionDeps
  readonly #scope: LinkedController = linkedController()
  #timeoutMs: number
  // Confirmed by handshakes and earlier connections: by any server, and by the leader.
  #confirmedAtMs: number
  #leaderContactAtMs: number
  #connection: ZookeeperConnection | undefined
  // One entry for each caller of `keepCertain`.
  readonly #certaintyHolders = new Set<object>()
  #cancel: () => void

  constructor(deps: SessionDeps) {
    const { grant, epoch } = deps
    this.#deps = deps
    this.id = grant.sessionId
    this.epoch = epoch
    this.#timeoutMs = grant.timeoutMs
    this.#confirmedAtMs = grant.askedAtMs
    this.#leaderContactAtMs = grant.askedAtMs
    this.#cancel = this.#scheduleExpiry()
  }

  /**
   * Proves on the next connection that the session is this client's. A getter, so that printing a session does not show
   * it.
   */
  get password(): Buffer {
    return this.#deps.grant.password
  }

  get timeoutMs(): number {
    return this.#timeoutMs
  }

  /** For logs: the id as the servers write it. */
  toJSON(): Pick<LiveSession, 'epoch' | 'timeoutMs'> & { readonly id: string } {
    return { id: formatSessionId(this.id), epoch: this.epoch, timeoutMs: this.timeoutMs }
  }

  get signal(): AbortSignal {
    return this.#scope.signal
  }

  get certainUntilMs(): number {
    if (this.signal.aborted) return Number.NEGATIVE_INFINITY
    return Math.max(this.#leaderContactAtMs, this.#connection?.leaderContactAtMs ?? 0) + this.#timeoutMs
  }

  get confirmedAtMs(): number {
    return Math.max(this.#confirmedAtMs, this.#connection?.confirmedAtMs ?? 0)
  }

  // The whole timeout after the latest answered request was sent.
  get #expiresAtMs(): number {
    return this.confirmedAtMs + this.#timeoutMs
  }

  /** A server has resumed the session on another connection. */
  renewGrant({ askedAtMs, timeoutMs }: SessionGrant): void {
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs, askedAtMs)
    this.#leaderContactAtMs = Math.max(this.#leaderContactAtMs, askedAtMs)
    this.#timeoutMs = timeoutMs
    // The new grant may be for less time than the one before.
    this.#cancel()
    this.#cancel = this.#scheduleExpiry()
  }

  /** The session continues over this connection. */
  attachConnection(connection: ZookeeperConnection): void {
    this.#confirmedAtMs = this.confirmedAtMs
    this.#leaderContactAtMs = Math.max(this.#leaderContactAtMs, this.#connection?.leaderContactAtMs ?? 0)
    this.#connection = connection
    connection.keepsLeaderContact = this.#certaintyHolders.size > 0
  }

  keepCertain(): () => void {
    const need = {}
    this.#certaintyHolders.add(need)
    this.#updateLeaderContact()
    return () => {
      this.#certaintyHolders.delete(need)
      this.#updateLeaderContact()
    }
  }

  #updateLeaderContact(): void {
    if (this.#connection !== undefined) this.#connection.keepsLeaderContact = this.#certaintyHolders.size > 0
  }

  end(error: HaError): void {
    this.#cancel()
    this.#scope.abort(error)
  }

  #scheduleExpiry(): () => void {
    const { clock } = this.#deps
    return clock.after(Math.max(1, this.#expiresAtMs - clock.now()), () => {
      if (clock.now() >= this.#expiresAtMs) this.#deps.onExpired(this.#expiredError())
      else this.#cancel = this.#scheduleExpiry()
    })
  }

  #expiredError(): HaError {
    const message = `no server has answered for ${this.#timeoutMs} ms: the session may have ended`
    return new ZookeeperError('session-lost', message, { retryable: true })
  }
}
