import { didYouMean } from '@ha/core/driver'
import { MariadbError } from './mariadb-error.ts'
import type { ResolvedOptions } from './options/resolved.ts'
import type { Asked } from './route/wish.ts'

/** What a read must have seen: anything, everything that this client wrote, or everything that anybody wrote. */
export type Consistency = ResolvedOptions['consistency']

/** What every call takes. */
export interface CallOptions {
  /** The one deadline of the call, whatever happens inside, in milliseconds. Default: `timeoutMs` of the client. */
  readonly timeoutMs?: number
  /** Ends the call: what was not sent is not done, what was sent is unknown. */
  readonly signal?: AbortSignal
  /** Which server: the one that takes writes, a replica, or any. Default `primary`; of `readOnly()` `replica`. */
  readonly route?: Asked
  /**
   * Whether twice is harmless, so that a statement whose answer was lost may be sent again. Default: whether that can
   * be seen from the statement, as of a SELECT without functions of your own.
   */
  readonly repeatable?: boolean
  /** What a read must have seen. Default: `consistency` of the client, which is `eventual`. */
  readonly consistency?: Consistency
}

/** The options of one call, checked and completed. */
export interface Call {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly route: Asked
  readonly repeatable: boolean | undefined
  readonly consistency: Consistency
}

/** What a call means that says nothing of its own. */
export function plainCall({
  timeoutMs,
  consistency,
}: Pick<ResolvedOptions, 'timeoutMs' | 'consistency'>): Call {
  return { timeoutMs, consistency, route: 'primary', signal: undefined, repeatable: undefined }
}

/** The options of a call that is bounded, and nothing else. */
export type Limits = Pick<CallOptions, 'timeoutMs' | 'signal'>

/** The names of {@link Limits}. */
export const limits: readonly (keyof CallOptions)[] = ['timeoutMs', 'signal']

/** The options of a call that runs once, whatever becomes of it. */
export const unrepeated: readonly (keyof CallOptions)[] = [...limits, 'route', 'consistency']

/** Checks the options of a call; what it does not say is in `defaults`. `name` is what the call is called in errors. */
export function resolveCall(
  name: string,
  given: CallOptions | undefined,
  defaults: Call,
  known: readonly string[] = every,
): Call {
  if (given === undefined) return defaults
  for (const key of Object.keys(given)) {
    if (!known.includes(key))
      throw invalid(`${name}.${key}`, `there is no such option${didYouMean(key, known)}`)
  }
  return {
    timeoutMs: readTimeout(name, given.timeoutMs) ?? defaults.timeoutMs,
    signal: readSignal(name, given.signal),
    route: readWord(`${name}.route`, given.route, routes) ?? defaults.route,
    repeatable: readFlag(`${name}.repeatable`, given.repeatable),
    consistency: readWord(`${name}.consistency`, given.consistency, consistencies) ?? defaults.consistency,
  }
}

const every: readonly string[] = [...unrepeated, 'repeatable']
const routes: readonly Asked[] = ['primary', 'replica', 'any']
const consistencies: readonly Consistency[] = ['eventual', 'session', 'strong']

// A little under 25 days: the longest timer that Node knows.
const longestMs = 2_147_483_647

function readTimeout(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && value >= 1 && value <= longestMs) return value
  throw invalid(`${name}.timeoutMs`, `expected a number of milliseconds from 1 to ${longestMs}`)
}

function readWord<W extends string>(path: string, value: unknown, words: readonly W[]): W | undefined {
  if (value === undefined) return undefined
  const word = words.find((each) => each === value)
  if (word !== undefined) return word
  const hint = typeof value === 'string' ? didYouMean(value, words) : ''
  throw invalid(path, `expected one of ${words.join(', ')}${hint}`)
}

function readSignal(name: string, value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value
  throw invalid(`${name}.signal`, 'expected an AbortSignal')
}

function readFlag(path: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  throw invalid(path, 'expected true or false')
}

function invalid(path: string, problem: string): MariadbError {
  return new MariadbError('config-invalid', `${path}: ${problem}`)
}
