import type { Ground } from '../ground.ts'
import { resolveCall } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath } from '../operations/paths.ts'
import { within } from '../within.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { comeTogether, type Part } from './barrier-part.ts'

/** A double barrier: nobody begins before all have come, and nobody goes on before all have gone. */
export interface Barrier {
  readonly path: string
  /** Comes, and waits for the others. Rejects with `timed-out` when not all have come in time, and goes again. */
  enter(options?: CallOptions): Promise<void>
  /**
   * Goes, and waits for the others. Rejects with `lease-over` when our session was lost in between: then the others
   * do not wait for us any more.
   */
  leave(options?: CallOptions): Promise<void>
}

/** A barrier on the node `path` for so many. One that is left can be entered again. */
export function barrier(ground: Ground, path: string, size: number): Barrier {
  checkPath(path, 'barrier')
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new ZookeeperError('config-invalid', `barrier ${path}: expected how many come, at least 1`, {
      path,
    })
  }
  return new DoubleBarrier(ground, path, size)
}

type State =
  | { readonly kind: 'outside' }
  | { readonly kind: 'inside'; readonly part: Part }
  /** On its way in or out. */
  | { readonly kind: 'moving' }

class DoubleBarrier implements Barrier {
  readonly path: string
  readonly #ground: Ground
  readonly #size: number
  #state: State = { kind: 'outside' }

  constructor(ground: Ground, path: string, size: number) {
    this.path = path
    this.#ground = ground
    this.#size = size
  }

  async enter(options?: CallOptions): Promise<void> {
    const call = resolveCall('enter', options, this.#ground.operationTimeoutMs)
    const { path } = this
    if (this.#state.kind !== 'outside') throw this.#wrong('it is entered already')
    this.#state = { kind: 'moving' }
    let next: State = { kind: 'outside' }
    try {
      const expired = (): Error => this.#notInTime('come', call.timeoutMs)
      const limits = { what: `the barrier ${path}`, path, call, expired }
      const part = await within(
        this.#ground,
        limits,
        (signal) => comeTogether(this.#ground, path, this.#size, signal),
        (late) => late.abandon(),
      )
      next = { kind: 'inside', part }
    } finally {
      this.#state = next
    }
  }

  async leave(options?: CallOptions): Promise<void> {
    const call = resolveCall('leave', options, this.#ground.operationTimeoutMs)
    const { path } = this
    if (this.#state.kind !== 'inside') throw this.#wrong('it was not entered')
    const { part } = this.#state
    this.#state = { kind: 'moving' }
    try {
      const expired = (): Error => this.#notInTime('gone', call.timeoutMs)
      const limits = { what: `the barrier ${path}`, path, call, expired }
      await within(this.#ground, limits, (signal) => part.leave(signal))
    } catch (thrown) {
      part.abandon()
      throw thrown
    } finally {
      this.#state = { kind: 'outside' }
    }
  }

  #wrong(why: string): ZookeeperError {
    return new ZookeeperError('config-invalid', `barrier ${this.path}: ${why}`, { path: this.path })
  }

  #notInTime(what: 'come' | 'gone', timeoutMs: number): ZookeeperError {
    const message = `barrier ${this.path}: not all ${this.#size} have ${what} within ${timeoutMs} ms`
    return new ZookeeperError('timed-out', message, { path: this.path, retryable: true })
  }
}
