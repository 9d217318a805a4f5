import { setTimeout as sleep } from 'node:timers/promises'
import { Pace, wallMs } from './timing.ts'

/** How far the traffic is. */
export interface TrafficCount {
  readonly begun: number
  readonly 'writes done': number
  readonly 'reads done': number
  readonly failed: number
}

/** What an operation is, before anything is known of it. */
interface OperationSpec {
  readonly kind: string
}

/** How operations are classified. */
interface OperationRules<D extends OperationSpec> {
  /** Whether it changes something. */
  readonly isWrite: (kind: D['kind']) => boolean
  readonly explain: (error: unknown) => Failure
}

/** An operation that was done. */
interface Completed<T> {
  readonly id: number
  readonly result: T
}

/** Begins operations at steady rates and records the outcome of each. */
export class Traffic<D extends OperationSpec> {
  readonly #rules: OperationRules<D>
  readonly #ops: (D & OperationRecord)[] = []
  readonly #count = { 'writes done': 0, 'reads done': 0, failed: 0 }
  #paces: readonly Pace[] = []

  constructor(rules: OperationRules<D>) {
    this.#rules = rules
  }

  get count(): TrafficCount {
    return { begun: this.#ops.length, ...this.#count }
  }

  get ops(): readonly (D & OperationRecord)[] {
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
    spec: D,
    run: (id: number) => Promise<T>,
    describe: (result: T) => D = () => spec,
  ): Promise<Completed<T> | undefined> {
    const id = this.#ops.length
    const startedAtMs = wallMs()
    this.#ops.push({
      ...spec,
      id,
      startedAtMs,
      settledAtMs: undefined,
      outcome: 'unsettled',
      error: undefined,
    })
    try {
      const result = await run(id)
      const settledAtMs = wallMs()
      this.#ops[id] = { ...describe(result), id, startedAtMs, settledAtMs, outcome: 'done', error: undefined }
      this.#count[this.#rules.isWrite(spec.kind) ? 'writes done' : 'reads done'] += 1
      return { id, result }
    } catch (error) {
      this.#ops[id] = { ...spec, id, startedAtMs, settledAtMs: wallMs(), ...this.#rules.explain(error) }
      this.#count.failed += 1
      return undefined
    }
  }

  #open(): number {
    const { 'writes done': writes, 'reads done': reads, failed } = this.#count
    return this.#ops.length - writes - reads - failed
  }
}

/** The outcome of one operation, as reported to its caller. Times are milliseconds since 1970, of one machine. */
export interface OperationRecord {
  readonly id: number
  readonly startedAtMs: number
  /** Undefined: never settled. */
  readonly settledAtMs: number | undefined
  readonly outcome: 'done' | 'not-done' | 'unknown' | 'unsettled'
  /** The code of a rejection. */
  readonly error: string | undefined
}

/** A rejection, in terms common to all clients. */
export interface Failure {
  readonly outcome: 'not-done' | 'unknown'
  readonly error: string
}

/** What a log proves about a store that is read back, node by node, after the traffic. */
export interface WriteVerdict {
  readonly writes: number
  readonly done: number
  readonly notDone: number
  /** The client reported that the outcome is unknown. */
  readonly unknown: number
  /** Of the unknown ones, those that had happened. */
  readonly unknownButThere: number
  readonly unsettled: number
  /** Acknowledged, and missing on a node. */
  readonly lost: number
  /** Called not done, although it happened: a false report. */
  readonly wronglyNotDone: number
  readonly reads: number
  readonly failedReads: number
}
