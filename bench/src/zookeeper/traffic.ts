import { setTimeout as sleep } from 'node:timers/promises'
import { Pace } from '../harness/pace.ts'
import { wallMs } from '../harness/wall-clock.ts'
import { registerCount } from './contents.ts'
import type { Contestant } from './contestant.ts'
import { isWrite, type Op, type OpKind } from './ledger.ts'

/** Operations in a second, of each kind. */
export type Rates = Readonly<Record<OpKind, number>>

/** How far the traffic is. */
export interface TrafficCount {
  readonly begun: number
  readonly 'writes done': number
  readonly 'reads done': number
  readonly failed: number
}

/** Has a contestant work at steady rates and writes down what it is told of each operation. */
export class Traffic {
  readonly #contestant: Contestant
  readonly #paces: readonly Pace[]
  readonly #ops: Op[] = []
  readonly #count = { 'writes done': 0, 'reads done': 0, failed: 0 }
  // The version of each register that nobody writes at the moment; undefined when it has to be looked up.
  readonly #idle = new Map<number, number | undefined>()

  constructor(contestant: Contestant, rates: Rates) {
    this.#contestant = contestant
    for (let register = 0; register < registerCount; register++) this.#idle.set(register, undefined)
    // A contestant that knows no more than creates and reads has only those to do.
    this.#paces = Object.entries(rates)
      .filter(([kind, perSecond]) => perSecond > 0 && (isForAll(kind) || contestant.more !== undefined))
      .map(([kind, perSecond]) => new Pace(perSecond, () => this.#begin(kind as OpKind)))
  }

  get count(): TrafficCount {
    return { begun: this.#ops.length, ...this.#count }
  }

  get ops(): readonly Op[] {
    return this.#ops
  }

  start(): void {
    for (const pace of this.#paces) pace.start()
  }

  stop(): void {
    for (const pace of this.#paces) pace.stop()
  }

  /** Waits until everything has settled, or `timeoutMs` have passed. */
  async settled(timeoutMs: number): Promise<void> {
    const untilMs = wallMs() + timeoutMs
    while (wallMs() < untilMs && this.#open() > 0) await sleep(50)
  }

  #open(): number {
    const { 'writes done': writes, 'reads done': reads, failed } = this.#count
    return this.#ops.length - writes - reads - failed
  }

  #begin(kind: OpKind): void {
    const id = this.#ops.length
    switch (kind) {
      case 'create':
        void this.#note('create', () => this.#contestant.create(id))
        return
      case 'sequence':
        void this.#note('sequence', async () => this.#contestant.more?.sequence(id))
        return
      case 'read':
        void this.#note('read', () => this.#contestant.read(Math.floor(Math.random() * registerCount)))
        return
      case 'set':
        void this.#setOne()
    }
  }

  // One after the other for each register: when all are being written, there is nothing to begin.
  async #setOne(): Promise<void> {
    const { more } = this.#contestant
    const [idle] = this.#idle
    if (more === undefined || idle === undefined) return
    const [register, known] = idle
    this.#idle.delete(register)
    const version = known ?? (await this.#note('read', () => more.versionOf(register)))
    // Who cannot read it will try again when its turn comes.
    const next =
      version === undefined
        ? undefined
        : await this.#note('set', () => more.set(register, this.#ops.length, version), register)
    this.#idle.set(register, next)
  }

  // Takes a number, runs the operation, and keeps what came of it; never rejects.
  async #note<T>(kind: OpKind, run: () => Promise<T>, register?: number): Promise<T | undefined> {
    const open: Op = {
      id: this.#ops.length,
      kind,
      register,
      begunAtMs: wallMs(),
      settledAtMs: undefined,
      outcome: 'unsettled',
      error: undefined,
    }
    this.#ops.push(open)
    try {
      const result = await run()
      this.#ops[open.id] = { ...open, settledAtMs: wallMs(), outcome: 'done' }
      this.#count[isWrite(kind) ? 'writes done' : 'reads done'] += 1
      return result
    } catch (error) {
      this.#ops[open.id] = { ...open, settledAtMs: wallMs(), ...this.#contestant.explain(error) }
      this.#count.failed += 1
      return undefined
    }
  }
}

function isForAll(kind: string): boolean {
  return kind === 'create' || kind === 'read'
}
