import { wallMs } from './wall-clock.ts'

/** Calls something at a steady rate; what a busy loop delayed is made up for at once. */
export class Pace {
  readonly #next: () => void
  readonly #perSecond: number
  #timer: NodeJS.Timeout | undefined

  constructor(perSecond: number, next: () => void) {
    this.#perSecond = perSecond
    this.#next = next
  }

  start(): void {
    const startedAtMs = wallMs()
    let called = 0
    this.#timer = setInterval(() => {
      const due = Math.floor(((wallMs() - startedAtMs) * this.#perSecond) / 1_000)
      for (; called < due; called += 1) this.#next()
    }, 5)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
