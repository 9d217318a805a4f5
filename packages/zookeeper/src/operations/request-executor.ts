import {
  type Backoff,
  Budget,
  type Clock,
  type Driver,
  fullJitter,
  type Link,
  type Operation,
  type Runner,
  run,
} from '@ha/core'
import { linkedController } from '@ha/core/driver'
import type { Chroot } from '../chroot.ts'
import type { ZookeeperConnection } from '../connection/connection.ts'
import { RepeatedLossError, toZookeeperError } from '../connection/error-classification.ts'
import { ZookeeperError } from '../errors.ts'
import type { Request } from '../protocol/requests.ts'
import { type CallLimits, maxDataBytesOf } from './call-options.ts'
import { RequestIsolation, trustedBytes, wasLostWith } from './request-isolation.ts'

interface RequestExecutorDeps {
  readonly link: Link<ZookeeperConnection>
  readonly driver: Pick<Driver<ZookeeperConnection>, 'classify'>
  readonly clock: Clock
  readonly random: () => number
  readonly chroot: Chroot
  /** How many operations may be under way or wait for a connection. */
  readonly maxOperations: number
  /** The longest request that is sent, in bytes. */
  readonly maxRequestBytes: number
  readonly reportDefect: (where: string, thrown: unknown) => void
  /** Fires when the client is closed: pending operations end synchronously. */
  readonly closed: AbortSignal
}

/** Describes one request for errors and retries. */
export interface RequestDetails {
  /** The name of the call in errors. */
  readonly name: string
  /** The path of the caller. */
  readonly path: string
  readonly call: CallLimits
  /** `none`: a read. `idempotent`: a write that may be repeated. `once`: a write that must not be repeated. */
  readonly effect: 'none' | 'idempotent' | 'once'
}

// The next server is usually available at once; the link waits for one that is not.
const backoff: Backoff = fullJitter({ baseMs: 10, maxMs: 500 })

/** Runs one request on the current or the next connection, with the retries that its effect allows. */
export class RequestExecutor {
  readonly chroot: Chroot
  readonly clock: Clock
  readonly random: () => number
  /** Fires when the client is closed. */
  readonly closed: AbortSignal
  /** The most bytes of data in one request. */
  readonly maxDataBytes: number
  readonly #deps: RequestExecutorDeps
  /** Made for the first request that may end connections. */
  #isolation: RequestIsolation | undefined
  readonly #runner: Runner<ZookeeperConnection>
  readonly #reader: Runner<ZookeeperConnection>
  #underWay = 0

  constructor(deps: RequestExecutorDeps) {
    const { link, driver, clock, random, chroot, closed, maxOperations } = deps
    this.#deps = deps
    this.chroot = chroot
    this.clock = clock
    this.random = random
    this.closed = closed
    this.maxDataBytes = maxDataBytesOf(deps.maxRequestBytes)
    // All pending operations are lost with the one connection, and may be repeated on the next.
    const budget = new Budget({ burst: maxOperations, refill: 1 })
    this.#runner = { source: link, driver, clock, random, backoff, budget }
    // A read has no effect, whatever happened to its reply.
    this.#reader = {
      ...this.#runner,
      driver: { classify: (error) => ({ ...driver.classify(error), effect: 'none' }) },
    }
  }

  /** How many operations are under way or wait for a connection. */
  get active(): number {
    return this.#underWay
  }

  /** Rejects with a {@link ZookeeperError} whose `outcome` is known or `unknown`. */
  async execute<T>(request: Request<T>, details: RequestDetails): Promise<T> {
    this.#admit(details)
    let sent = false
    const { closed } = this
    const scope = linkedController(details.call.signal, closed)
    const operation: Operation = {
      name: `${details.name} ${details.path}`,
      timeoutMs: details.call.timeoutMs,
      signal: scope.signal,
      repeatable: details.effect !== 'once',
      effectIfLost: () => (sent && details.effect !== 'none' ? 'unknown' : 'none'),
    }
    const losses = { count: 0 }
    const send = async (connection: ZookeeperConnection): Promise<T> => {
      sent = true
      try {
        return await connection.send(encoded)
      } catch (thrown) {
        if (wasLostWith(connection, thrown)) {
          losses.count += 1
          this.#isolation?.forget(connection)
        }
        throw thrown
      }
    }
    const encoded = encodedOnce(request)
    this.#underWay += 1
    try {
      return await run(details.effect === 'none' ? this.#reader : this.#runner, operation, (connection) =>
        this.#whenAdmitted(connection, encoded, losses.count, send),
      )
    } catch (thrown) {
      const error = toZookeeperError(thrown, details.path, this.chroot)
      throw closed.aborted ? closedError(error, details) : error
    } finally {
      scope.unlink()
      this.#underWay -= 1
    }
  }

  // Mostly sent in the turn of the call, so that requests keep their order. A request that was on a few connections when
  // they ended is sent alone, and given up when that does not help: it is the reason, or no server works for it.
  async #whenAdmitted<T>(
    connection: ZookeeperConnection,
    { name, encode }: Request<T>,
    losses: number,
    send: (connection: ZookeeperConnection) => Promise<T>,
  ): Promise<T> {
    if (losses >= maxLosses) throw new RepeatedLossError(name, losses)
    const bytes = encode().length + headerBytes
    if (bytes > this.#deps.maxRequestBytes) return send(connection)
    const isSuspect = losses >= lossesBeforeAlone
    const isolation = isSuspect || bytes > trustedBytes ? this.#isolate() : this.#isolation
    if (isolation === undefined) return send(connection)
    if (!isolation.isAdmitted(connection, bytes)) await isolation.admit(connection, name, bytes)
    return isSuspect ? isolation.alone(connection, name, () => send(connection)) : send(connection)
  }

  #isolate(): RequestIsolation {
    const { clock, reportDefect } = this.#deps
    this.#isolation ??= new RequestIsolation({
      clock,
      onRefused: (error) => reportDefect('large requests', error),
    })
    return this.#isolation
  }

  #admit({ name, path }: RequestDetails): void {
    const { maxOperations } = this.#deps
    if (this.#underWay < maxOperations) return
    const message = `${name} ${path}: ${maxOperations} operations are pending already`
    throw new ZookeeperError('exhausted', message, { path, retryable: true })
  }
}

const headerBytes = 8

// Connections that ended with a request on them: after two it is sent alone, and after two more it is given up.
const lossesBeforeAlone = 2
const maxLosses = 4

// The size is needed before the request is sent, and every attempt sends the same bytes.
function encodedOnce<T>(request: Request<T>): Request<T> {
  let body: Buffer | undefined
  return {
    ...request,
    encode: () => {
      body ??= request.encode()
      return body
    },
  }
}

function closedError(
  { outcome, endpoint, cause }: ZookeeperError,
  { name, path }: RequestDetails,
): ZookeeperError {
  return new ZookeeperError('closed', `${name} ${path}: the client is closed`, {
    path,
    outcome,
    endpoint,
    cause,
  })
}
