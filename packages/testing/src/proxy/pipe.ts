import type { Socket } from 'node:net'
import type { Clock } from '@ha/core'
import { seededRandom } from '@ha/core/testing'
import type { CutHow } from './faults.ts'
import {
  type DirectionState,
  type HeldItem,
  keepsReading,
  nextStep,
  type PlanProgress,
  removeBytes,
  type Step,
  startProgress,
} from './next-step.ts'
import type { Plan } from './plan.ts'
import { afterPoll, resetSocket } from './sockets.ts'
import { afterDrop, afterPass, afterRead, type Flow, noFlow } from './timeline.ts'

/** What a pipe needs from its connection. */
interface PipeDeps {
  readonly source: Socket
  readonly sink: Socket
  readonly clock: Clock
  readonly maxHeldBytes: number
  readonly seed: number
  readonly onEvent: (event: PipeEvent) => void
}

/** The events of a pipe: the first byte, the end of the sender by itself, a cut by a fault. */
export type PipeEvent =
  | { readonly kind: 'first-byte' }
  | { readonly kind: 'ended'; readonly how: 'end' | 'reset' }
  | { readonly kind: 'cut'; readonly how: CutHow }

/**
 * `blocked` waits for the receiver to take what was written, `resting` for it to have had the chance to read it
 * alone. `over`: nothing leaves any more; what still arrives is read and dropped, so that the sender's end is seen.
 */
type State = 'flowing' | 'blocked' | 'resting' | 'over'

// Very small chunks must not take many times their size in memory.
const maxHeldItems = 16_384

/** One direction of one connection: decides the next step, executes it, and waits for the next event. */
export class Pipe {
  readonly #deps: PipeDeps
  readonly #held: HeldItem[] = []
  readonly #jitterRandom: () => number
  readonly #sliceRandom: () => number
  #sliceShare: number
  #plan: Plan
  #progress: PlanProgress
  #state: State = 'flowing'
  #flow: Flow = noFlow
  #timer: { readonly atMs: number; readonly cancel: () => void } | undefined

  constructor(route: PipeDeps, plan: Plan) {
    this.#deps = route
    this.#plan = plan
    this.#progress = startProgress(route.clock.now())
    this.#jitterRandom = seededRandom(route.seed)
    this.#sliceRandom = seededRandom(route.seed + 1)
    this.#sliceShare = this.#sliceRandom()
    route.source.on('data', (bytes: Buffer) => this.#arrive(bytes))
    route.source.on('end', () => this.#senderEnded('end'))
    route.source.on('error', () => this.#senderEnded('reset'))
    route.sink.on('drain', () => this.#onReceiverReady('blocked'))
    route.sink.on('close', () => this.halt())
  }

  get flow(): Flow {
    return this.#flow
  }

  /** Replaces the plan; held items follow the new one too. */
  setPlan(plan: Plan): void {
    this.#plan = plan
    this.#progress = startProgress(this.#deps.clock.now())
    this.advance()
  }

  /** Drops the held bytes. The end of the sender is kept. */
  drop(): void {
    const endings = this.#held.filter(({ kind }) => kind !== 'bytes')
    this.#held.splice(0, this.#held.length, ...endings)
    this.#flow = afterDrop(this.#flow)
  }

  /** Passes nothing on any more. */
  halt(): void {
    this.#state = 'over'
    this.drop()
    this.#wakeAt(Number.POSITIVE_INFINITY)
    this.#deps.source.resume()
  }

  /** Executes all steps that are due. Called after every event: bytes, time, room, another plan. */
  advance(): void {
    while (this.#state !== 'over') {
      const state = this.#snapshot()
      const step = nextStep(state)
      if (step.kind === 'wait') {
        this.#wakeAt(step.untilMs)
        this.#pauseOrResumeSource(state)
        return
      }
      this.#act(step)
    }
  }

  #snapshot(): DirectionState {
    return {
      plan: this.#plan,
      progress: this.#progress,
      held: this.#held,
      hasRoom: this.#state === 'flowing',
      nowMs: this.#deps.clock.now(),
      sliceShare: this.#sliceShare,
    }
  }

  #act(step: Exclude<Step, { kind: 'wait' }>): void {
    switch (step.kind) {
      case 'pass':
        removeBytes(this.#held, step.taken)
        this.#flow = afterPass(this.#flow, step.taken)
        this.#progress = step.progress
        this.#sliceShare = this.#sliceRandom()
        this.#write(step.bytes, step.alone)
        return
      case 'discard':
        this.drop()
        return
      case 'finish':
        this.#held.shift()
        if (step.how === 'end') this.#deps.sink.end()
        else resetSocket(this.#deps.sink)
        return
      case 'cut':
        this.halt()
        if (step.how === 'end') this.#deps.sink.end()
        this.#deps.onEvent(step)
        return
    }
  }

  #write(bytes: Buffer, alone: boolean): void {
    const { sink } = this.#deps
    if (alone) {
      this.#state = 'resting'
      sink.write(bytes, () => afterPoll(() => this.#onReceiverReady('resting')))
    } else if (!sink.write(bytes)) {
      this.#state = 'blocked'
    }
  }

  #onReceiverReady(was: State): void {
    if (this.#state !== was) return
    this.#state = 'flowing'
    this.advance()
  }

  #arrive(bytes: Buffer): void {
    const isFirst = this.#flow.readBytes === 0
    this.#flow = afterRead(this.#flow, bytes.length, this.#deps.clock.now())
    if (isFirst) this.#deps.onEvent({ kind: 'first-byte' })
    this.#hold({ kind: 'bytes', bytes, ...this.#arrival() })
  }

  #senderEnded(how: 'end' | 'reset'): void {
    this.#deps.onEvent({ kind: 'ended', how })
    this.#hold({ kind: how, ...this.#arrival() })
  }

  #arrival(): { readonly arrivedAtMs: number; readonly jitterShare: number } {
    return { arrivedAtMs: this.#deps.clock.now(), jitterShare: this.#jitterRandom() }
  }

  #hold(parcel: HeldItem): void {
    if (this.#state === 'over') {
      this.#flow = afterDrop(this.#flow)
      return
    }
    this.#held.push(parcel)
    this.advance()
  }

  #pauseOrResumeSource(state: DirectionState): void {
    const { source, maxHeldBytes } = this.#deps
    const isFull = this.#flow.heldBytes >= maxHeldBytes || this.#held.length >= maxHeldItems
    if (keepsReading(state, isFull)) source.resume()
    else source.pause()
  }

  #wakeAt(atMs: number): void {
    if (this.#timer?.atMs === atMs) return
    this.#timer?.cancel()
    this.#timer = atMs === Number.POSITIVE_INFINITY ? undefined : { atMs, cancel: this.#advanceAt(atMs) }
  }

  #advanceAt(atMs: number): () => void {
    const { clock } = this.#deps
    return clock.after(Math.ceil(atMs - clock.now()), () => {
      this.#timer = undefined
      this.advance()
    })
  }
}
