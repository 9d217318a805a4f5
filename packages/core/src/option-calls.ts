import { asError, detachStack, HaError, isHaError } from './errors/ha-error.ts'
import { raceAbort } from './util/abort.ts'
import type { Clock } from './util/clock.ts'

/** A value, or a function of the application that returns it. */
export type OptionSource<T> = T | (() => Promise<T>)

interface OptionCall {
  readonly what: string
  readonly sinceMs: number
}

const failures = new WeakSet<Error>()

/** Whether a function among the options failed or is silent: that says nothing of any server. */
export function isOptionFailure(error: unknown): boolean {
  return error instanceof Error && failures.has(error)
}

/**
 * The calls of the functions among the options. What a function throws may contain a secret, and errors end in logs: only
 * its name and its code are kept, except of the errors of this library for a value that does not fit.
 */
export class OptionCalls {
  readonly #clock: Clock
  readonly #pending = new Set<OptionCall>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The error for the function that has been silent for longest; undefined while none is called. */
  get waitingFor(): HaError | undefined {
    const [call] = this.#pending
    if (call === undefined) return undefined
    const ms = Math.round(this.#clock.now() - call.sinceMs)
    return optionFailure(`${call.what} has not answered for ${ms} ms`)
  }

  /** Resolves with the value. Rejects with `unreachable` when the function fails, or with the reason of the signal. */
  async read<T>(option: string, source: OptionSource<T>, signal: AbortSignal): Promise<T> {
    if (!isFunction(source)) return source
    return this.track(functionOf(option), () => quotingNothing(option, source), signal)
  }

  /** Waits for work that is no function of the options, and is named in {@link waitingFor} by `what`. */
  async track<T>(what: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const call: OptionCall = { what, sinceMs: this.#clock.now() }
    this.#pending.add(call)
    try {
      return await raceAbort(work(), signal, () => undefined)
    } finally {
      this.#pending.delete(call)
    }
  }
}

/** How the function of an option is called in errors. */
export function functionOf(option: string): string {
  return `the function of the option '${option}'`
}

/** Calls a function of the application. Rejects with `unreachable`, without what it threw. */
export async function quotingNothing<T>(option: string, source: () => T | Promise<T>): Promise<T> {
  try {
    return await source()
  } catch (thrown) {
    throw failedOption(option, asError(thrown))
  }
}

function isFunction<T>(source: OptionSource<T>): source is () => Promise<T> {
  return typeof source === 'function'
}

function failedOption(option: string, thrown: Error & { readonly code?: unknown }): HaError {
  const { name, code } = thrown
  const said = typeof code === 'string' ? `${name}, ${code}` : name
  const text = isHaError(thrown) && code === 'config-invalid' ? `: ${thrown.message}` : ` (${said})`
  return optionFailure(`${functionOf(option)} failed${text}`)
}

function optionFailure(message: string): HaError {
  const error = detachStack(new HaError('unreachable', message, { retryable: true }))
  failures.add(error)
  return error
}
