import { setTimeout as sleep } from 'node:timers/promises'
import { Pace } from '../harness/pace.ts'
import { wallMs } from '../harness/wall-clock.ts'
import type { Contestant } from './contestant.ts'
import { isWrite, type Op, type OpKind } from './ledger.ts'
import { accounts } from './tables.ts'

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

  constructor(contestant: Contestant, rates: Rates) {
    this.#contestant = contestant
    // A contestant that knows no more than inserts has only those to do.
    this.#paces = Object.entries(rates)
      .filter(([kind, perSecond]) => perSecond > 0 && (kind === 'insert' || contestant.more !== undefined))
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
    const { more } = this.#contestant
    const id = this.#ops.length
    switch (kind) {
      case 'insert':
        void this.#note('insert', () => this.#contestant.insert(id))
        return
      case 'transfer':
        void this.#note('transfer', async () => more?.transfer(someTransfer(id)))
        return
      case 'read':
        void this.#note('read', async () => more?.read(someAccount()))
        return
      case 'own-read':
        void this.#writeAndLook()
    }
  }

  async #writeAndLook(): Promise<void> {
    const id = this.#ops.length
    const isThere = await this.#note('insert', () => this.#contestant.insert(id))
    if (isThere) await this.#note('own-read', async () => this.#contestant.more?.readOwn(id))
  }

  // Takes a number, runs the operation, and keeps what came of it; never rejects. A look that returns false is stale.
  async #note(kind: OpKind, run: () => Promise<unknown>): Promise<boolean> {
    const open: Op = {
      id: this.#ops.length,
      kind,
      begunAtMs: wallMs(),
      settledAtMs: undefined,
      outcome: 'unsettled',
      error: undefined,
      stale: false,
    }
    this.#ops.push(open)
    try {
      const result = await run()
      this.#ops[open.id] = {
        ...open,
        settledAtMs: wallMs(),
        outcome: 'done',
        stale: kind === 'own-read' && result === false,
      }
      this.#count[isWrite(kind) ? 'writes done' : 'reads done'] += 1
      return true
    } catch (error) {
      this.#ops[open.id] = { ...open, settledAtMs: wallMs(), ...this.#contestant.explain(error) }
      this.#count.failed += 1
      return false
    }
  }
}

function someAccount(): number {
  return Math.floor(Math.random() * accounts)
}

function someTransfer(id: number): { id: number; source: number; target: number; amount: number } {
  const source = someAccount()
  const target = (source + 1 + Math.floor(Math.random() * (accounts - 1))) % accounts
  return { id, source, target, amount: 1 + Math.floor(Math.random() * 10) }
}
