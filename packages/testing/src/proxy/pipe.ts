import type { Socket } from 'node:net'
import type { Clock } from '@ha/core'
import { seededRandom } from '@ha/core/testing'
import type { CutHow } from './fault.ts'
import { afterDrop, afterPass, afterRead, type Flow, noFlow } from './flow.ts'
import { begin, type Moment, type Progress } from './moment.ts'
import { type Parcel, removeBytes } from './parcel.ts'
import type { Plan } from './plan.ts'
import { nextStep, readsOn, type Step } from './shape.ts'
import { afterPoll, resetSocket } from './sockets.ts'

/** What a pipe stands between, and whom it tells. */
interface Route {
  readonly source: Socket
  readonly sink: Socket
  readonly clock: Clock
  readonly maxHeldBytes: number
  readonly seed: number
  readonly tell: (news: PipeNews) => void
}

/** What a pipe tells: the first byte it read, how the sender ended by itself, that a fault cut the connection. */
export type PipeNews =
  | { readonly kind: 'first-byte' }
  | { readonly kind: 'ended'; readonly how: 'end' | 'reset' }
  | { readonly kind: 'cut'; readonly how: CutHow }

/**
 * `blocked` waits for the receiver to take what was written, `resting` for it to have had the chance to read it
 * alone. `over`: nothing leaves any more; what still arrives is read and dropped, so that the sender's end is seen.
 */
type State = 'flowing' | 'blocked' | 'resting' | 'over'

// What arrives in very small chunks must not hold many times its size in memory.
const maxParcels = 16_384

/** One direction of one connection: asks what to do next, does it, and sleeps until there is news. */
export class Pipe {
  readonly #route: Route
  readonly #held: Parcel[] = []
  readonly #jitterRandom: () => number
  readonly #sliceRandom: () => number
  #sliceLuck: number
  #plan: Plan
  #progress: Progress
  #state: State = 'flowing'
  #flow: Flow = noFlow
  #alarm: { readonly atMs: number; readonly cancel: () => void } | undefined

  constructor(route: Route, plan: Plan) {
    this.#route = route
    this.#plan = plan
    this.#progress = begin(route.clock.now())
    this.#jitterRandom = seededRandom(route.seed)
    this.#sliceRandom = seededRandom(route.seed + 1)
    this.#sliceLuck = this.#sliceRandom()
    route.source.on('data', (bytes: Buffer) => this.#arrive(bytes))
    route.source.on('end', () => this.#senderEnded('end'))
    route.source.on('error', () => this.#senderEnded('reset'))
    route.sink.on('drain', () => this.#makeRoom('blocked'))
    route.sink.on('close', () => this.halt())
  }

  get flow(): Flow {
    return this.#flow
  }

  /** Follows another plan from now on; what is held follows it too. */
  follow(plan: Plan): void {
    this.#plan = plan
    this.#progress = begin(this.#route.clock.now())
    this.turn()
  }

  /** Drops the held bytes. How the sender ended is kept. */
  drop(): void {
    const endings = this.#held.filter(({ kind }) => kind !== 'bytes')
    this.#held.splice(0, this.#held.length, ...endings)
    this.#flow = afterDrop(this.#flow)
  }

  /** Lets nothing out any more. */
  halt(): void {
    this.#state = 'over'
    this.drop()
    this.#wakeAt(Number.POSITIVE_INFINITY)
    this.#route.source.resume()
  }

  /** Does what there is to do now. Every piece of news leads here: bytes, time, room, another plan. */
  turn(): void {
    while (this.#state !== 'over') {
      const moment = this.#moment()
      const step = nextStep(moment)
      if (step.kind === 'wait') {
        this.#wakeAt(step.untilMs)
        this.#readOnOrNot(moment)
        return
      }
      this.#act(step)
    }
  }

  #moment(): Moment {
    return {
      plan: this.#plan,
      progress: this.#progress,
      held: this.#held,
      hasRoom: this.#state === 'flowing',
      nowMs: this.#route.clock.now(),
      luck: this.#sliceLuck,
    }
  }

  #act(step: Exclude<Step, { kind: 'wait' }>): void {
    switch (step.kind) {
      case 'pass':
        removeBytes(this.#held, step.taken)
        this.#flow = afterPass(this.#flow, step.taken)
        this.#progress = step.progress
        this.#sliceLuck = this.#sliceRandom()
        this.#write(step.bytes, step.alone)
        return
      case 'discard':
        this.drop()
        return
      case 'finish':
        this.#held.shift()
        if (step.how === 'end') this.#route.sink.end()
        else resetSocket(this.#route.sink)
        return
      case 'cut':
        this.halt()
        if (step.how === 'end') this.#route.sink.end()
        this.#route.tell(step)
        return
    }
  }

  #write(bytes: Buffer, alone: boolean): void {
    const { sink } = this.#route
    if (alone) {
      this.#state = 'resting'
      sink.write(bytes, () => afterPoll(() => this.#makeRoom('resting')))
    } else if (!sink.write(bytes)) {
      this.#state = 'blocked'
    }
  }

  #makeRoom(was: State): void {
    if (this.#state !== was) return
    this.#state = 'flowing'
    this.turn()
  }

  #arrive(bytes: Buffer): void {
    const isFirst = this.#flow.readBytes === 0
    this.#flow = afterRead(this.#flow, bytes.length, this.#route.clock.now())
    if (isFirst) this.#route.tell({ kind: 'first-byte' })
    this.#hold({ kind: 'bytes', bytes, ...this.#arrival() })
  }

  #senderEnded(how: 'end' | 'reset'): void {
    this.#route.tell({ kind: 'ended', how })
    this.#hold({ kind: how, ...this.#arrival() })
  }

  #arrival(): { readonly arrivedAtMs: number; readonly luck: number } {
    return { arrivedAtMs: this.#route.clock.now(), luck: this.#jitterRandom() }
  }

  #hold(parcel: Parcel): void {
    if (this.#state === 'over') {
      this.#flow = afterDrop(this.#flow)
      return
    }
    this.#held.push(parcel)
    this.turn()
  }

  #readOnOrNot(moment: Moment): void {
    const { source, maxHeldBytes } = this.#route
    const isFull = this.#flow.heldBytes >= maxHeldBytes || this.#held.length >= maxParcels
    if (readsOn(moment, isFull)) source.resume()
    else source.pause()
  }

  #wakeAt(atMs: number): void {
    if (this.#alarm?.atMs === atMs) return
    this.#alarm?.cancel()
    this.#alarm = atMs === Number.POSITIVE_INFINITY ? undefined : { atMs, cancel: this.#turnAt(atMs) }
  }

  #turnAt(atMs: number): () => void {
    const { clock } = this.#route
    return clock.after(Math.ceil(atMs - clock.now()), () => {
      this.#alarm = undefined
      this.turn()
    })
  }
}
