import { setTimeout as sleep } from 'node:timers/promises'
import type { Failure, NotedOp } from './noted-op.ts'
import { Pace } from './pace.ts'
import { wallMs } from './wall-clock.ts'

/** How far the traffic is. */
export interface TrafficCount {
  readonly begun: number
  readonly 'writes done': number
  readonly 'reads done': number
  readonly failed: number
}

/** What an operation is, before anything is known of it. */
interface Deed {
  readonly kind: string
}

/** How operations are told apart. */
export interface Reading<D extends Deed> {
  /** Whether it changes something. */
  readonly isWrite: (kind: D['kind']) => boolean
  readonly explain: (error: unknown) => Failure
}

/** An operation that was done. */
export interface Done<T> {
  readonly id: number
  readonly result: T
}

/** Begins operations at steady rates and writes down what it is told of each. */
export class Traffic<D extends Deed> {
  readonly #reading: Reading<D>
  readonly #ops: (D & NotedOp)[] = []
  readonly #count = { 'writes done': 0, 'reads done': 0, failed: 0 }
  #paces: readonly Pace[] = []

  constructor(reading: Reading<D>) {
    this.#reading = reading
  }

  get count(): TrafficCount {
    return { begun: this.#ops.length, ...this.#count }
  }

  get ops(): readonly (D & NotedOp)[] {
    return this.#ops
  }

  /** Begins so many operations of each kind in a second. */
  start(rates: Readonly<Record<D['kind'], number>>, begin: (kind: D['kind']) => unknown): void {
    const kinds = Object.keys(rates) as D['kind'][]
    this.#paces = kinds
      .filter((kind) => rates[kind] > 0)
      .map((kind) => new Pace(rates[kind], () => void begin(kind)))
    for (const pace of this.#paces) pace.start()
  }

  /** Begins nothing any more. */
  stop(): void {
    for (const pace of this.#paces) pace.stop()
  }

  /** Waits until everything has settled, or `timeoutMs` have passed. */
  async settled(timeoutMs: number): Promise<void> {
    const untilMs = wallMs() + timeoutMs
    while (wallMs() < untilMs && this.#open() > 0) await sleep(50)
  }

  /**
   * Gives an operation its number, runs it, and keeps what came of it, with what its result says of it; undefined when
   * it was rejected. Never rejects.
   */
  async note<T>(
    deed: D,
    run: (id: number) => Promise<T>,
    told: (result: T) => D = () => deed,
  ): Promise<Done<T> | undefined> {
    const id = this.#ops.length
    const begunAtMs = wallMs()
    this.#ops.push({ ...deed, id, begunAtMs, settledAtMs: undefined, outcome: 'unsettled', error: undefined })
    try {
      const result = await run(id)
      const settledAtMs = wallMs()
      this.#ops[id] = { ...told(result), id, begunAtMs, settledAtMs, outcome: 'done', error: undefined }
      this.#count[this.#reading.isWrite(deed.kind) ? 'writes done' : 'reads done'] += 1
      return { id, result }
    } catch (error) {
      this.#ops[id] = { ...deed, id, begunAtMs, settledAtMs: wallMs(), ...this.#reading.explain(error) }
      this.#count.failed += 1
      return undefined
    }
  }

  #open(): number {
    const { 'writes done': writes, 'reads done': reads, failed } = this.#count
    return this.#ops.length - writes - reads - failed
  }
}
