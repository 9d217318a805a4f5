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

  /** The number of pending timers: 0 when nothing leaked. */
  get pending(): number {
    return this.#timers.size
  }

  /** Advances the time by `ms`: due timers fire in order, and everything that one causes happens before the next. */
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

  /** Jumps ahead like a blocked event loop: overdue timers fire late, after the jump. */
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

/** Settles every promise that can settle now, and everything that follows from it. */
export function settle(): Promise<void> {
  // An immediate runs only after the microtask queue is empty.
  return new Promise((resolve) => setImmediate(resolve))
}

// The interval of polling: leaves most of the CPU to the code under test.
const pollMs = 5

/**
 * Waits in real time until a condition holds; rejects with `what` when it does not after `timeoutMs`, default 15 000.
 */
export async function until(what: string, condition: () => boolean, timeoutMs = 15_000): Promise<void> {
  const deadline = systemClock.now() + timeoutMs
  while (!condition()) {
    if (systemClock.now() > deadline) throw new Error(`timed out waiting until ${what}`)
    await pause(pollMs)
  }
}

/** Waits in real time. */
export function pause(ms: number): Promise<void> {
  return systemClock.sleep(ms)
}

/** A seeded generator of random numbers (mulberry32): the same seed replays the same run. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

// The seeds of a test run; the whole series belongs to `npm run soak`.
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
