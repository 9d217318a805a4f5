import { env } from 'node:process'
import { type Clock, clockOf, systemClock } from '../util/clock.ts'

interface Timer {
  readonly atMs: number
  /** Timers of the same instant fire in the order in which they were set. */
  readonly order: number
  readonly fire: () => void
}

/** A {@link Clock} that stands still until a test advances it. */
export class FakeClock implements Clock {
  readonly #timers = new Set<Timer>()
  readonly #clock: Clock
  #nowMs = 0
  #order = 0

  constructor() {
    this.#clock = clockOf(
      () => this.#nowMs,
      (ms, fire) => {
        const timer = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, fire }
        this.#timers.add(timer)
        return () => this.#timers.delete(timer)
      },
    )
  }

  now(): number {
    return this.#clock.now()
  }

  after(ms: number, fn: () => void): () => void {
    return this.#clock.after(ms, fn)
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal)
  }

  /** How many timers are set: 0 when nothing was left behind. */
  get pending(): number {
    return this.#timers.size
  }

  /** Lets `ms` pass: every timer due fires in order, and all that follows from one happens before the next. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await settle()
    for (let timer = this.#next(untilMs); timer !== undefined; timer = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, timer.atMs)
      this.#timers.delete(timer)
      timer.fire()
      await settle()
    }
    this.#nowMs = untilMs
  }

  /** Jumps ahead like a process whose event loop was blocked: everything overdue fires afterwards, late. */
  async block(ms: number): Promise<void> {
    this.#nowMs += ms
    await this.advance(0)
  }

  #next(untilMs: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.atMs > untilMs) continue
      if (
        first === undefined ||
        timer.atMs < first.atMs ||
        (timer.atMs === first.atMs && timer.order < first.order)
      ) {
        first = timer
      }
    }
    return first
  }
}

/** Lets every promise that can settle now do so, and all that follows from it. */
export function settle(): Promise<void> {
  // An immediate runs only when the queue of microtasks is empty.
  return new Promise((resolve) => setImmediate(resolve))
}

// How often it is looked: seldom enough to leave the processor to what the test waits for.
const lookEveryMs = 5

/**
 * Waits in real time until something is so; rejects with what was waited for when it is not so after `timeoutMs`,
 * default 15 000.
 */
export async function until(what: string, isSo: () => boolean, timeoutMs = 15_000): Promise<void> {
  const deadline = systemClock.now() + timeoutMs
  while (!isSo()) {
    if (systemClock.now() > deadline) throw new Error(`waited in vain until ${what}`)
    await pause(lookEveryMs)
  }
}

/** Lets so much real time pass. */
export function pause(ms: number): Promise<void> {
  return systemClock.sleep(ms)
}

/** A small seeded generator (mulberry32): the same seed gives the same run, so that a failing one replays. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

// What every test run pays for; the whole series belongs to `npm run soak`.
const dose = 25

/**
 * The seeds of a simulation: 25 in a test run, `soak` of them with `HA_SOAK=1` (`npm run soak`). `HA_SEEDS` gives
 * another number, and `HA_SEED` replays one run.
 */
export function simulationSeeds(soak: number): readonly number[] {
  const only = env['HA_SEED']
  if (only !== undefined) return [Number(only)]
  const count = Number(env['HA_SEEDS'] ?? (isSoak() ? soak : Math.min(dose, soak)))
  return Array.from({ length: count }, (_, i) => i + 1)
}

/** Whether this is `npm run soak`: everything is tried, not only a dose of it. */
export function isSoak(): boolean {
  return env['HA_SOAK'] === '1'
}
