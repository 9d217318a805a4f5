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
import { toZookeeperError } from '../connection/error-classification.ts'
import { ZookeeperError } from '../errors.ts'
import type { Request } from '../protocol/requests.ts'
import type { CallLimits } from './call-options.ts'

interface RequestExecutorDeps {
  readonly link: Link<ZookeeperConnection>
  readonly driver: Pick<Driver<ZookeeperConnection>, 'classify'>
  readonly clock: Clock
  readonly random: () => number
  readonly chroot: Chroot
  /** How many operations may be under way or wait for a connection. */
  readonly maxOperations: number
  /** Fires when the client is closed: whatever waits ends in that turn. */
  readonly closed: AbortSignal
}

/** What is asked, and what may be done about it. */
export interface RequestDetails {
  /** What the call is called in errors. */
  readonly name: string
  /** The users' path. */
  readonly path: string
  readonly call: CallLimits
  /** `nothing`: it only asks. `again`: twice is harmless. `once`: it is not. */
  readonly effect: 'nothing' | 'again' | 'once'
}

// The next server is usually there at once; what is not is waited for by the link.
const backoff: Backoff = fullJitter({ baseMs: 10, maxMs: 500 })

/** Sends one request on the connection that there is, or will be in time, and says what became of it. */
export class RequestExecutor {
  readonly chroot: Chroot
  readonly clock: Clock
  readonly random: () => number
  /** Fires when the client is closed. */
  readonly closed: AbortSignal
  readonly #deps: RequestExecutorDeps
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
    // Everything that is under way is lost with the one connection, and may be asked again on the next.
    const budget = new Budget({ burst: maxOperations, refill: 1 })
    this.#runner = { source: link, driver, clock, random, backoff, budget }
    // Who only asks has done nothing, whatever became of the answer.
    this.#reader = {
      ...this.#runner,
      driver: { classify: (error) => ({ ...driver.classify(error), effect: 'none' }) },
    }
  }

  /** How many operations are under way or wait for a connection. */
  get active(): number {
    return this.#underWay
  }

  /** Rejects with a {@link ZookeeperError} that says what the outcome is. */
  async execute<T>(request: Request<T>, asked: RequestDetails): Promise<T> {
    this.#admit(asked)
    let sent = false
    const { closed } = this
    const either = linkedController(asked.call.signal, closed)
    const operation: Operation = {
      name: `${asked.name} ${asked.path}`,
      timeoutMs: asked.call.timeoutMs,
      signal: either.signal,
      repeatable: asked.effect !== 'once',
      effectIfLost: () => (sent && asked.effect !== 'nothing' ? 'unknown' : 'none'),
    }
    this.#underWay += 1
    try {
      return await run(asked.effect === 'nothing' ? this.#reader : this.#runner, operation, (connection) => {
        sent = true
        return connection.send(request)
      })
    } catch (thrown) {
      const error = toZookeeperError(thrown, asked.path, this.chroot)
      throw closed.aborted ? closedError(error, asked) : error
    } finally {
      either.unlink()
      this.#underWay -= 1
    }
  }

  #admit({ name, path }: RequestDetails): void {
    const { maxOperations } = this.#deps
    if (this.#underWay < maxOperations) return
    const message = `${name} ${path}: ${maxOperations} operations wait already`
    throw new ZookeeperError('exhausted', message, { path, retryable: true })
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
