/** The part of a terminal that this needs. */
export interface Screen {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** One row: counters, and the one of them whose standing still is darkness. */
export interface LiveRow {
  readonly name: string
  readonly counters: () => readonly (readonly [string, number])[]
  readonly alive: string
}

const everyMs = 200
const plainEveryMs = 3_000

/** Counters of something at work: a table that lives in a terminal, a line now and then in a pipe. */
export class LiveTable {
  readonly #screen: Screen
  readonly #timer: NodeJS.Timeout
  readonly #startedAt = performance.now()
  #phase = ''
  #rows: readonly LiveRow[] = []
  /** When each was last seen to be alive. */
  readonly #alive = new Map<string, { readonly count: number; readonly atMs: number }>()
  #drawn = 0

  constructor(screen: Screen) {
    this.#screen = screen
    const draw = (): void => (screen.isTTY === true ? this.#draw() : this.#line())
    this.#timer = setInterval(draw, screen.isTTY === true ? everyMs : plainEveryMs)
  }

  /** Shows these from now on. */
  show(phase: string, rows: readonly LiveRow[]): void {
    this.#phase = phase
    this.#rows = rows
    if (this.#screen.isTTY !== true) this.#line()
  }

  end(): void {
    clearInterval(this.#timer)
    if (this.#screen.isTTY === true) this.#draw()
  }

  #draw(): void {
    const up = this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A`
    const lines = [`  ${this.#clock()}  ${this.#phase}`, ...this.#rows.map((row) => `  ${this.#row(row)}`)]
    this.#screen.write(`${up}${lines.map((line) => `\u001b[2K${line}\n`).join('')}`)
    this.#drawn = lines.length
  }

  #line(): void {
    const rows = this.#rows.map((row) => this.#row(row).replaceAll(/ +/g, ' '))
    this.#screen.write(`  ${this.#clock()} ${this.#phase}: ${rows.join(' | ')}\n`)
  }

  #row({ name, counters, alive }: LiveRow): string {
    const cells = counters()
    const counted = cells.map(([word, value]) => `${word} ${String(value).padStart(6)}`).join('  ')
    const count = cells.find(([word]) => word === alive)?.[1] ?? 0
    return `${name.padEnd(24)} ${counted}  ${this.#silence(name, count)}`
  }

  #silence(name: string, count: number): string {
    const now = performance.now()
    const before = this.#alive.get(name)
    if (before === undefined || count > before.count) this.#alive.set(name, { count, atMs: now })
    const silentMs = now - (this.#alive.get(name)?.atMs ?? now)
    return silentMs < 600 ? '' : `dark for ${(silentMs / 1_000).toFixed(1)} s`
  }

  #clock(): string {
    return `${((performance.now() - this.#startedAt) / 1_000).toFixed(1).padStart(5)} s`
  }
}
