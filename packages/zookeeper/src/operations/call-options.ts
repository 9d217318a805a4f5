import { didYouMean } from '@ha/core/driver'
import { ZookeeperError } from '../zookeeper-error.ts'
import type { CallOptions } from './operations.ts'

/** The limits of one call, checked and completed. */
export interface Call {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

// A little under 25 days: the longest timer that Node knows.
const longestMs = 2_147_483_647

/** Checks what a call was given; `more` names what it takes beside its limits. `name` is what it is called in errors. */
export function resolveCall(
  name: string,
  given: CallOptions | undefined,
  defaultTimeoutMs: number,
  more: readonly string[] = [],
): Call {
  if (given === undefined) return { timeoutMs: defaultTimeoutMs, signal: undefined }
  checkKeys(name, given, ['timeoutMs', 'signal', ...more])
  return {
    timeoutMs: readTimeout(name, given.timeoutMs) ?? defaultTimeoutMs,
    signal: readSignal(name, given.signal),
  }
}

/** Checks what takes a timeout alone. */
export function resolveTimeout(
  name: string,
  given: Pick<CallOptions, 'timeoutMs'>,
  defaultTimeoutMs: number,
): number {
  checkKeys(name, given, ['timeoutMs'])
  return readTimeout(name, given.timeoutMs) ?? defaultTimeoutMs
}

/** Checks what takes a signal alone: it ends by nothing else. */
export function resolveSignal(
  name: string,
  given: Pick<CallOptions, 'signal'> = {},
): AbortSignal | undefined {
  checkKeys(name, given, ['signal'])
  return readSignal(name, given.signal)
}

function checkKeys(name: string, given: object, known: readonly string[]): void {
  for (const key of Object.keys(given)) {
    if (!known.includes(key))
      throw invalid(`${name}.${key}`, `there is no such option${didYouMean(key, known)}`)
  }
}

function readTimeout(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && value >= 1 && value <= longestMs) return value
  throw invalid(`${name}.timeoutMs`, `expected a number of milliseconds from 1 to ${longestMs}`)
}

function readSignal(name: string, value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value
  throw invalid(`${name}.signal`, 'expected an AbortSignal')
}

/** Checks the version that a node must have; undefined stands for any. */
export function checkVersion(name: string, path: string, version: unknown): number | undefined {
  if (version === undefined) return undefined
  if (Number.isInteger(version) && Number(version) >= 0 && Number(version) <= 2_147_483_647)
    return Number(version)
  throw new ZookeeperError(
    'config-invalid',
    `${name}.version: expected a whole number from 0 to 2147483647`,
    {
      path,
    },
  )
}

function invalid(path: string, problem: string): ZookeeperError {
  return new ZookeeperError('config-invalid', `${path}: ${problem}`)
}

/** What is left of a call’s time, for its next step. */
export class Remaining {
  readonly #timeoutMs: number
  readonly #untilMs: number
  readonly #now: () => number
  readonly #signal: AbortSignal | undefined

  constructor({ timeoutMs, signal }: Call, now: () => number) {
    this.#now = now
    this.#timeoutMs = timeoutMs
    this.#untilMs = now() + timeoutMs
    this.#signal = signal
  }

  /** The limits of the next step: never nothing, so that it says itself that its time was up. */
  get call(): Call {
    const leftMs = this.#untilMs - this.#now()
    // Never more than in all: times are sums of fractions, whose residue may be above the longest timer that there is.
    return { timeoutMs: Math.min(this.#timeoutMs, Math.max(1, leftMs)), signal: this.#signal }
  }

  /** Throws `timed-out` when nothing is left: for a loop whose steps all succeed. `what` is the call, as in `delete /a`. */
  check(what: string, path: string): void {
    if (this.#now() < this.#untilMs) return
    const message = `${what}: not done within ${this.#timeoutMs} ms`
    throw new ZookeeperError('timed-out', message, { path, retryable: true })
  }

  get over(): boolean {
    return this.#now() >= this.#untilMs || this.#signal?.aborted === true
  }
}
