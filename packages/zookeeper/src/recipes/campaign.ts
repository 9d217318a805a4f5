import { isHaError } from '@ha/core'
import { asError, listenerFailed } from '@ha/core/driver'
import type { Ground } from '../ground.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { acquire } from './acquire.ts'
import type { Lease } from './lease.ts'
import type { Line } from './line.ts'
import { persist, untilSignalMs } from './persist.ts'

type State =
  | { readonly kind: 'idle' }
  /** `failure` is what the last try to stand failed with. */
  | { readonly kind: 'standing'; readonly failure: Error | undefined }
  | { readonly kind: 'leading'; readonly lease: Lease }

/** What one participant does in an election: stands, leads, steps down, and stands again. */
export class Campaign {
  readonly #ground: Ground
  readonly #line: Line
  #state: State = { kind: 'idle' }

  constructor(ground: Ground, line: Line) {
    this.#ground = ground
    this.#line = line
  }

  /** Whether this participant leads, and nobody else can. */
  get leads(): boolean {
    return this.#state.kind === 'leading' && this.#state.lease.valid()
  }

  /** What keeps it from standing, or its place in the line from being looked at. */
  get trouble(): Error | undefined {
    if (this.#state.kind !== 'standing') return undefined
    return this.#ground.link.trouble() ?? this.#state.failure
  }

  async run(fn: (lease: Lease) => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const { folder, what } = this.#line
    if (this.#state.kind !== 'idle') {
      const message = `${what}: this participant runs already; make another one`
      throw new ZookeeperError('config-invalid', message, { path: folder })
    }
    try {
      while (signal?.aborted !== true) await this.#term(fn, signal)
    } finally {
      this.#state = { kind: 'idle' }
    }
  }

  async #term(fn: (lease: Lease) => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const lease = await this.#elected(signal)
    if (lease === undefined) return
    this.#state = { kind: 'leading', lease }
    try {
      await fn(lease)
    } catch (thrown) {
      if (lease.valid()) throw thrown
      if (!isConsequence(thrown, lease)) listenerFailed(`election ${this.#line.folder}`, thrown)
    } finally {
      this.#state = standing
      await lease.release()
    }
  }

  // Undefined when the signal came first.
  async #elected(signal: AbortSignal | undefined): Promise<Lease | undefined> {
    const ground = this.#ground
    try {
      return await persist(ground, signal ?? ground.signal, () => this.#stand(signal))
    } catch (thrown) {
      if (signal?.aborted === true) return undefined
      throw thrown
    }
  }

  async #stand(signal: AbortSignal | undefined): Promise<Lease> {
    this.#state = standing
    try {
      return await acquire(this.#ground, this.#line, { timeoutMs: untilSignalMs, signal })
    } catch (thrown) {
      this.#state = { kind: 'standing', failure: asError(thrown) }
      throw thrown
    }
  }
}

const standing: State = { kind: 'standing', failure: undefined }

// Whoever was told to stop, and stopped, has not failed.
function isConsequence(thrown: unknown, lease: Lease): boolean {
  if (thrown === lease.signal.reason) return true
  if (isHaError(thrown)) return thrown.code === 'lease-over' || thrown.code === 'aborted'
  return thrown instanceof Error && thrown.name === 'AbortError'
}
