import { type Clock, formatEndpoint } from '@ha/core'
import { deferred } from '@ha/core/driver'
import type { ZookeeperConnection } from '../connection/connection.ts'
import { ConnectionError, TooLargeError } from '../connection/error-classification.ts'
import { ReplyError } from '../protocol/error-codes.ts'
import { exists, type Request } from '../protocol/requests.ts'

interface RequestIsolationDeps {
  readonly clock: Clock
  /** Called when requests of a size are rejected from now on. */
  readonly onRefused: (error: Error) => void
}

/** Requests up to this size, in bytes, are sent without a trial: no server is configured for less. */
export const trustedBytes: number = 16 * 1024

// How long requests that servers hang up on are rejected without a trial: an operator may raise `jute.maxbuffer`.
const refusedMs = 60_000

// For how long other requests wait for one that is alone.
const maxTurnMs = 1_000

/** The smallest size at which servers have ended connections. */
interface Refusal {
  readonly bytes: number
  readonly losses: number
  /** By the clock; undefined while one loss may have been a coincidence. */
  readonly untilMs: number | undefined
}

/**
 * Sends requests alone on the connection that may be the reason why connections end, so that an end is charged to them and
 * hurts no other one. First of all by their size: a server ends the connection, without a reply, at a request that exceeds its
 * `jute.maxbuffer`: the outcome of everything on that connection would be unknown. So a read of the same size is sent
 * first, alone, before a request that is larger than any that this server has answered.
 */
export class RequestIsolation {
  readonly #deps: RequestIsolationDeps
  /** The largest answered request of each server. */
  readonly #accepted = new Map<string, number>()
  #refusal: Refusal | undefined
  /** Resolves when the request that is alone has ended. */
  #turn: Promise<void> | undefined

  constructor(deps: RequestIsolationDeps) {
    this.#deps = deps
  }

  /**
   * Whether a request of this size can be sent at once; else call {@link admit} first. A function apart, so that most
   * requests are sent in the turn of their call, in order.
   */
  isAdmitted(connection: ZookeeperConnection, bytes: number): boolean {
    return this.#turn === undefined && this.#isAccepted(connection, bytes)
  }

  /**
   * Waits until the request can be sent. Rejects with {@link TooLargeError} when servers end the connection at this size,
   * and with {@link ConnectionError} when this connection has ended.
   */
  async admit(connection: ZookeeperConnection, name: string, bytes: number): Promise<void> {
    while (!this.isAdmitted(connection, bytes)) {
      if (this.#turn !== undefined) await this.#turn
      else if (this.#isRefused(bytes)) throw this.#tooLarge(connection, name, bytes)
      else await this.#tryAlone(connection, name, bytes)
      checkOpen(connection, name)
    }
  }

  /** Sends a request while no other one is under way, and holds back the others until it has ended, for a second at most. */
  async alone<T>(connection: ZookeeperConnection, name: string, send: () => Promise<T>): Promise<T> {
    while (this.#turn !== undefined) await this.#turn
    const ended = deferred()
    const turn = ended.promise
    this.#turn = turn
    const release = (): void => {
      if (this.#turn === turn) this.#turn = undefined
      ended.resolve()
    }
    // A request that is not answered does not hold back the others for long.
    const cancel = this.#deps.clock.after(maxTurnMs, release)
    try {
      await connection.whenIdle()
      checkOpen(connection, name)
      return await send()
    } finally {
      cancel()
      release()
    }
  }

  /** A connection to this server has ended with a large request on it: the next one is tried first. */
  forget({ endpoint }: ZookeeperConnection): void {
    this.#accepted.delete(formatEndpoint(endpoint))
  }

  #isAccepted({ endpoint }: ZookeeperConnection, bytes: number): boolean {
    return bytes <= trustedBytes || bytes <= (this.#accepted.get(formatEndpoint(endpoint)) ?? 0)
  }

  #isRefused(bytes: number): boolean {
    const { untilMs, bytes: least } = this.#refusal ?? { untilMs: undefined, bytes: 0 }
    return untilMs !== undefined && bytes >= least && this.#deps.clock.now() < untilMs
  }

  async #tryAlone(connection: ZookeeperConnection, name: string, bytes: number): Promise<void> {
    try {
      await this.alone(connection, name, () => connection.send(paddedRead(bytes)))
      this.#accept(connection, bytes)
    } catch (thrown) {
      // Any answer will do.
      if (thrown instanceof ReplyError) this.#accept(connection, bytes)
      else throw this.#lost(connection, name, bytes, thrown)
    }
  }

  #accept({ endpoint }: ZookeeperConnection, bytes: number): void {
    this.#accepted.set(formatEndpoint(endpoint), bytes)
    if (this.#refusal !== undefined && bytes >= this.#refusal.bytes) this.#refusal = undefined
  }

  // A server may have ended for another reason at that moment: only a second loss is evidence.
  #lost(connection: ZookeeperConnection, name: string, bytes: number, thrown: unknown): unknown {
    if (!(thrown instanceof ConnectionError)) return thrown
    const retried = new ConnectionError('over', name, connection.endError)
    if (!wasLostWith(connection, thrown)) return retried
    this.forget(connection)
    const losses = (this.#refusal?.losses ?? 0) + 1
    const least = Math.min(bytes, this.#refusal?.bytes ?? bytes)
    const untilMs = losses < 2 ? undefined : this.#deps.clock.now() + refusedMs
    const isNew = untilMs !== undefined && losses === 2
    this.#refusal = { bytes: least, losses, untilMs }
    if (untilMs === undefined) return retried
    const error = this.#tooLarge(connection, name, bytes)
    if (isNew) this.#deps.onRefused(error)
    return error
  }

  #tooLarge({ endpoint }: ZookeeperConnection, name: string, bytes: number): TooLargeError {
    const why = `the servers end the connection at requests of that size: \`jute.maxbuffer\` of ${formatEndpoint(endpoint)} is smaller`
    return new TooLargeError('request', name, bytes, why)
  }
}

function checkOpen({ endError }: ZookeeperConnection, name: string): void {
  if (endError !== undefined) throw new ConnectionError('over', name, endError)
}

/** Whether a request was on a connection when the server ended it. */
export function wasLostWith(connection: ZookeeperConnection, thrown: unknown): boolean {
  return thrown instanceof ConnectionError && thrown.kind === 'lost' && connection.endError?.code === 'lost'
}

// The bytes around the path: the header, the length of the path and the flag.
const aroundPathBytes = 4 + 4 + 4 + 1

// A read of a node that does not exist: it has no effect, and every server answers it.
function paddedRead(bytes: number): Request<unknown> {
  const request = exists(`/${'x'.repeat(bytes - aroundPathBytes - 1)}`, false)
  return { ...request, path: undefined }
}
