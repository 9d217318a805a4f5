import { type Clock, HaError } from '@ha/core'
import { asError, detachStack, withDeadline } from '@ha/core/driver'
import type { GateSettings } from './register-options.ts'

/** What a check said. */
export type Answer = { readonly passed: true } | { readonly passed: false; readonly error: Error }

type Asking = Pick<GateSettings, 'check' | 'intervalMs' | 'timeoutMs'>

/** Asks a health gate at its interval; one that hangs is asked again only when it has returned. */
export class Checks {
  readonly #asking: Asking
  readonly #clock: Clock
  #hanging = false

  constructor(asking: Asking, clock: Clock) {
    this.#asking = asking
    this.#clock = clock
  }

  /** Asks and hands on the answers until the signal fires; rejects with its reason. */
  async run(signal: AbortSignal, hear: (answer: Answer) => void): Promise<never> {
    for (;;) {
      const dueAtMs = this.#clock.now() + this.#asking.intervalMs
      hear(await this.#ask(signal))
      await this.#clock.sleep(dueAtMs - this.#clock.now(), signal)
    }
  }

  async #ask(signal: AbortSignal): Promise<Answer> {
    const { timeoutMs } = this.#asking
    if (this.#hanging)
      return no(`the health check gave no answer in ${timeoutMs} ms and has not returned since`)
    const expired = (): HaError =>
      new HaError('timed-out', `the health check gave no answer in ${timeoutMs} ms`)
    try {
      const limit = { timeoutMs, signal, expired }
      const passed = await withDeadline(this.#clock, limit, (inner) => this.#check(inner))
      return passed ? { passed } : no('the health check said no')
    } catch (thrown) {
      signal.throwIfAborted()
      return { passed: false, error: detachStack(asError(thrown)) }
    }
  }

  async #check(signal: AbortSignal): Promise<boolean> {
    this.#hanging = true
    try {
      return (await this.#asking.check(signal)) === true
    } finally {
      this.#hanging = false
    }
  }
}

function no(message: string): Answer {
  return { passed: false, error: detachStack(new HaError('rejected', message)) }
}
