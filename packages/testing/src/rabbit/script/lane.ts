import type { Clock } from '@ha/core'
import type { Frame } from '../wire/frame.ts'
import type { Plan, Step } from './plan.ts'
import type { PublishAct } from './rule.ts'

/** What a {@link Lane} needs from outside. */
export interface LaneEnds {
  readonly clock: Clock
  readonly planOf: (frame: Frame) => Plan
  readonly released: (name: string) => Promise<void>
  /** The frame takes its normal way. */
  readonly pass: (frame: Frame, publish: PublishAct | undefined) => void
  /** Any other step that acts at once. */
  readonly act: (step: Act, frame: Frame) => void
}

/** A step that is neither the frame's passing nor a wait. */
export type Act = Exclude<Step, { readonly kind: 'pass' | 'wait' | 'await' }>

type State =
  | { readonly kind: 'free' }
  | { readonly kind: 'waiting'; readonly cancel: () => void }
  | { readonly kind: 'closed' }

/**
 * The frames of one channel in one direction, in order. A frame that has to wait holds up those behind it, as a busy
 * channel of a real server does; other channels go on.
 */
export class Lane {
  readonly #ends: LaneEnds
  #state: State = { kind: 'free' }
  #queue: Frame[] = []
  // The message that a lost frame announced is lost with it.
  #losesContent = false

  constructor(ends: LaneEnds) {
    this.#ends = ends
  }

  push(frame: Frame): void {
    this.#queue.push(frame)
    this.#drain()
  }

  /** Forgets what waits. */
  close(): void {
    if (this.#state.kind === 'waiting') this.#state.cancel()
    this.#state = { kind: 'closed' }
    this.#queue = []
  }

  #drain(): void {
    while (this.#state.kind === 'free') {
      const frame = this.#queue.shift()
      if (frame === undefined) return
      this.#begin(frame)
    }
  }

  #begin(frame: Frame): void {
    const isContent = frame.kind === 'content-header' || frame.kind === 'content-body'
    if (isContent && this.#losesContent) return
    const plan = this.#ends.planOf(frame)
    if (frame.kind === 'method') this.#losesContent = !plan.some((step) => step.kind === 'pass')
    this.#walk(frame, plan)
  }

  #walk(frame: Frame, plan: Plan): void {
    for (const [i, step] of plan.entries()) {
      if (this.#state.kind === 'closed') return
      if (step.kind === 'wait' || step.kind === 'await') {
        this.#wait(frame, step, plan.slice(i + 1))
        return
      }
      if (step.kind === 'pass') this.#ends.pass(frame, step.publish)
      else this.#ends.act(step, frame)
    }
  }

  #wait(frame: Frame, step: Extract<Step, { readonly kind: 'wait' | 'await' }>, rest: Plan): void {
    if (step.kind === 'wait') {
      this.#state = {
        kind: 'waiting',
        cancel: this.#ends.clock.after(step.delayMs, () => this.#resume(frame, rest)),
      }
      return
    }
    this.#state = { kind: 'waiting', cancel: () => undefined }
    void this.#ends.released(step.name).then(() => this.#resume(frame, rest))
  }

  #resume(frame: Frame, rest: Plan): void {
    if (this.#state.kind !== 'waiting') return
    this.#state = { kind: 'free' }
    this.#walk(frame, rest)
    this.#drain()
  }
}
