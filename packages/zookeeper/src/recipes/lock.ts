import type { Ground } from '../ground.ts'
import { resolveCall, resolveTimeout } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath } from '../operations/paths.ts'
import { acquire, acquireNow } from './acquire.ts'
import type { Lease } from './lease.ts'
import type { Line } from './line.ts'
import { exclusive } from './turn.ts'

export interface LockOptions {
  /** How long a wait may take when the call does not say, in milliseconds. Default: `operationTimeoutMs` of the client. */
  readonly timeoutMs?: number | undefined
}

/** Something that is held by one, or by a few, and waited for by others: first come, first served. */
export interface Lock {
  /** The node below which those who hold it and those who wait stand in line. */
  readonly path: string
  /**
   * Waits until it is ours. Rejects with `timed-out` when that is not so in time, and leaves the line then, also when
   * the connection is away: what cannot be deleted now is deleted later.
   */
  acquire(options?: CallOptions): Promise<Lease>
  /** Undefined when it cannot be ours at once. */
  tryAcquire(options?: CallOptions): Promise<Lease | undefined>
  /**
   * Runs `fn` while it is ours, and gives it back. `fn` has to stop when the signal of its lease fires, and to ask
   * `valid()`, or to hand on the token, before it does what only one may do: nobody can stop it from outside.
   */
  run<T>(fn: (lease: Lease) => Promise<T>, options?: CallOptions): Promise<T>
}

/** A lock that one holds at a time. */
export function lock(ground: Ground, path: string, options: LockOptions = {}): Lock {
  checkPath(path, 'lock')
  const line = { folder: path, kind: 'lock', data: '', rule: exclusive, what: `the lock ${path}` }
  return new LineLock(ground, line, resolveTimeout('lock', options, ground.operationTimeoutMs))
}

/** A {@link Lock} on a line: its rule says who holds it. `timeoutMs` is for calls that say none. */
export class LineLock implements Lock {
  readonly #ground: Ground
  readonly #line: Line
  readonly #timeoutMs: number

  constructor(ground: Ground, line: Line, timeoutMs: number) {
    this.#ground = ground
    this.#line = line
    this.#timeoutMs = timeoutMs
  }

  get path(): string {
    return this.#line.folder
  }

  async acquire(options?: CallOptions): Promise<Lease> {
    return acquire(this.#ground, this.#line, resolveCall('acquire', options, this.#timeoutMs))
  }

  async tryAcquire(options?: CallOptions): Promise<Lease | undefined> {
    return acquireNow(this.#ground, this.#line, resolveCall('tryAcquire', options, this.#timeoutMs))
  }

  async run<T>(fn: (lease: Lease) => Promise<T>, options?: CallOptions): Promise<T> {
    const lease = await this.acquire(options)
    try {
      return await fn(lease)
    } finally {
      await lease.release()
    }
  }
}
