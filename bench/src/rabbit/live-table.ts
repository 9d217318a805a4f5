import type { ContestantRun } from './contestant-run.ts'

/** The part of a terminal that this needs. */
export interface Screen {
  readonly isTTY?: boolean
  write(text: string): unknown
}

const everyMs = 200
const plainEveryMs = 3_000

/** Counters of running contestants: a table that lives in a terminal, a line now and then in a pipe. */
export class LiveTable {
  readonly #screen: Screen
  readonly #timer: NodeJS.Timeout
  readonly #startedAt = performance.now()
  #phase = ''
  #runs: readonly ContestantRun[] = []
  /** When each was last seen to confirm something. */
  readonly #alive = new Map<string, { readonly confirmed: number; readonly atMs: number }>()
  #drawn = 0

  constructor(screen: Screen) {
    this.#screen = screen
    const draw = (): void => (screen.isTTY === true ? this.#draw() : this.#line())
    this.#timer = setInterval(draw, screen.isTTY === true ? everyMs : plainEveryMs)
  }

  /** Shows these from now on. */
  show(phase: string, runs: readonly ContestantRun[]): void {
    this.#phase = phase
    this.#runs = runs
    if (this.#screen.isTTY !== true) this.#line()
  }

  end(): void {
    clearInterval(this.#timer)
    if (this.#screen.isTTY === true) this.#draw()
  }

  #draw(): void {
    const up = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A`
    const lines = [`  ${this.#clock()}  ${this.#phase}`, ...this.#runs.map((run) => `  ${this.#row(run)}`)]
    this.#screen.write(`${up}${lines.map((line) => `\u001b[2K${line}\n`).join('')}`)
    this.#drawn = lines.length
  }

  #line(): void {
    const rows = this.#runs.map((run) => this.#row(run).replaceAll(/ +/g, ' '))
    this.#screen.write(`  ${this.#clock()} ${this.#phase}: ${rows.join(' | ')}\n`)
  }

  #row(run: ContestantRun): string {
    const { sent, confirmed, rejected, consumed } = run.count()
    const cells = [
      ['sent', sent],
      ['confirmed', confirmed],
      ['rejected', rejected],
      ['consumed', consumed],
    ] as const
    const counters = cells.map(([name, value]) => `${name} ${String(value).padStart(6)}`).join('  ')
    return `${run.name.padEnd(24)} ${counters}  ${this.#silence(run.name, confirmed)}`
  }

  #silence(name: string, confirmed: number): string {
    const now = performance.now()
    const before = this.#alive.get(name)
    if (before === undefined || confirmed > before.confirmed) this.#alive.set(name, { confirmed, atMs: now })
    const silentMs = now - (this.#alive.get(name)?.atMs ?? now)
    return silentMs < 600 ? '' : `dark for ${(silentMs / 1_000).toFixed(1)} s`
  }

  #clock(): string {
    return `${((performance.now() - this.#startedAt) / 1_000).toFixed(1).padStart(5)} s`
  }
}
