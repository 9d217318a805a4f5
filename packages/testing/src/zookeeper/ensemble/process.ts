import type { Clock } from '@ha/core'
import { type Deferred, deferred } from '@ha/core/driver'

/** How the process of a node is. */
export type NodeState = 'down' | 'running' | 'frozen'

type State =
  | { readonly kind: 'down' }
  | { readonly kind: 'running' }
  /** It runs, and has not heard yet what the other nodes did while it stood still. */
  | { readonly kind: 'waking'; readonly cancel: () => void }
  | { readonly kind: 'frozen'; readonly thawed: Deferred<void> }

// What a node that stood still reads first is what its clients had said: what the others did, it hears so much later.
const wakingMs = 25

/** The process of a node: it runs, stands still, or is not there. */
export class Process {
  readonly #clock: Clock
  readonly #onWoken: () => void
  #state: State = { kind: 'down' }

  /** `onWoken` is called when it has stood still and hears the other nodes again. */
  constructor(clock: Clock, onWoken: () => void) {
    this.#clock = clock
    this.#onWoken = onWoken
  }

  get kind(): NodeState {
    return this.#state.kind === 'waking' ? 'running' : this.#state.kind
  }

  /** Whether it hears what the other nodes do. */
  get isAttentive(): boolean {
    return this.#state.kind === 'running'
  }

  start(): void {
    this.#go({ kind: 'running' })
  }

  freeze(): void {
    this.#go({ kind: 'frozen', thawed: deferred() })
  }

  thaw(): void {
    const cancel = this.#clock.after(wakingMs, () => {
      this.#state = { kind: 'running' }
      this.#onWoken()
    })
    this.#go({ kind: 'waking', cancel })
  }

  end(): void {
    this.#go({ kind: 'down' })
  }

  /** Resolves when it does not stand still: at once, or when it goes on. */
  async awake(): Promise<void> {
    while (this.#state.kind === 'frozen') await this.#state.thawed.promise
  }

  #go(next: State): void {
    const before = this.#state
    this.#state = next
    if (before.kind === 'waking') before.cancel()
    if (before.kind === 'frozen') before.thawed.resolve()
  }
}
