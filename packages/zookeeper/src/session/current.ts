import type { Clock, HaError } from '@ha/core'
import { type LinkedController, linkedController } from '@ha/core/driver'
import type { ZookeeperConnection } from '../connection/connection.ts'
import type { Granted } from '../connection/handshake.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import type { LiveSession } from './live-session.ts'

export interface CurrentParts {
  readonly granted: Granted
  readonly epoch: number
  readonly clock: Clock
  /** Called when no server has answered for the whole timeout. */
  readonly onUncertain: (error: HaError) => void
}

/** The session that a client has now, and how long it is certain. */
export class Current implements LiveSession {
  readonly id: bigint
  readonly epoch: number
  readonly #parts: CurrentParts
  readonly #scope: LinkedController = linkedController()
  #timeoutMs: number
  // What handshakes and earlier connections have confirmed: some server, and the leader.
  #confirmedAtMs: number
  #agreedAtMs: number
  #connection: ZookeeperConnection | undefined
  // Those who need it to be certain.
  readonly #needing = new Set<object>()
  #cancel: () => void

  constructor(parts: CurrentParts) {
    const { granted, epoch } = parts
    this.#parts = parts
    this.id = granted.sessionId
    this.epoch = epoch
    this.#timeoutMs = granted.timeoutMs
    this.#confirmedAtMs = granted.askedAtMs
    this.#agreedAtMs = granted.askedAtMs
    this.#cancel = this.#lookAgain()
  }

  /** Proves on the next connection that the session is ours. No property of its own: what prints a session does not show it. */
  get password(): Buffer {
    return this.#parts.granted.password
  }

  get timeoutMs(): number {
    return this.#timeoutMs
  }

  get signal(): AbortSignal {
    return this.#scope.signal
  }

  get certainUntilMs(): number {
    if (this.signal.aborted) return Number.NEGATIVE_INFINITY
    return Math.max(this.#agreedAtMs, this.#connection?.agreedAtMs ?? 0) + this.#timeoutMs
  }

  get confirmedAtMs(): number {
    return Math.max(this.#confirmedAtMs, this.#connection?.confirmedAtMs ?? 0)
  }

  // The whole timeout after the latest request that any server answered was sent.
  get #givenUpAtMs(): number {
    return this.confirmedAtMs + this.#timeoutMs
  }

  /** Another server has taken the session over. */
  grantedAgain({ askedAtMs, timeoutMs }: Granted): void {
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs, askedAtMs)
    this.#agreedAtMs = Math.max(this.#agreedAtMs, askedAtMs)
    this.#timeoutMs = timeoutMs
    // It may be for less than before.
    this.#cancel()
    this.#cancel = this.#lookAgain()
  }

  /** The session goes on over this connection. */
  carriedBy(connection: ZookeeperConnection): void {
    this.#confirmedAtMs = this.confirmedAtMs
    this.#agreedAtMs = Math.max(this.#agreedAtMs, this.#connection?.agreedAtMs ?? 0)
    this.#connection = connection
    connection.isCertain = this.#needing.size > 0
  }

  keepCertain(): () => void {
    const need = {}
    this.#needing.add(need)
    this.#ask()
    return () => {
      this.#needing.delete(need)
      this.#ask()
    }
  }

  #ask(): void {
    if (this.#connection !== undefined) this.#connection.isCertain = this.#needing.size > 0
  }

  end(error: HaError): void {
    this.#cancel()
    this.#scope.abort(error)
  }

  #lookAgain(): () => void {
    const { clock } = this.#parts
    return clock.after(Math.max(1, this.#givenUpAtMs - clock.now()), () => {
      if (clock.now() >= this.#givenUpAtMs) this.#parts.onUncertain(this.#uncertain())
      else this.#cancel = this.#lookAgain()
    })
  }

  #uncertain(): HaError {
    const message = `no server has answered for ${this.#timeoutMs} ms: the session may be over`
    return new ZookeeperError('session-lost', message, { retryable: true })
  }
}
