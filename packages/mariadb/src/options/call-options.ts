import { didYouMean } from '@ha/core/driver'
import { MariadbError } from '../errors.ts'
import type { RouteTarget } from '../routing/route.ts'
import type { Isolation, ResolvedOptions } from './resolved-options.ts'

/** What a read must have seen: anything, everything that this client wrote, or everything that anybody wrote. */
export type Consistency = ResolvedOptions['consistency']

/** What every call takes. */
export interface CallOptions {
  /** The one deadline of the call, whatever happens inside, in milliseconds. Default: `timeoutMs` of the client. */
  readonly timeoutMs?: number
  /** Ends the call: what was not sent is not done, what was sent is unknown. */
  readonly signal?: AbortSignal
  /** Which server: the one that takes writes, a replica, or any. Default `primary`; of `readOnly()` `replica`. */
  readonly route?: RouteTarget
  /**
   * Whether twice is harmless, so that a statement whose answer was lost may be sent again. Default: whether that can
   * be seen from the statement, as of a SELECT without functions of your own.
   */
  readonly repeatable?: boolean
  /** What a read must have seen. Default: `consistency` of the client, which is `eventual`. */
  readonly consistency?: Consistency
}

/** The options of one call, checked and completed. */
export interface ResolvedCall {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly route: RouteTarget
  readonly repeatable: boolean | undefined
  readonly consistency: Consistency
}

/** What a call means that says nothing of its own. */
export function defaultCall({
  timeoutMs,
  consistency,
}: Pick<ResolvedOptions, 'timeoutMs' | 'consistency'>): ResolvedCall {
  return { timeoutMs, consistency, route: 'primary', signal: undefined, repeatable: undefined }
}

/** The options of a call that is bounded, and nothing else. */
export type CallLimits = Pick<CallOptions, 'timeoutMs' | 'signal'>

/** The names of {@link CallLimits}. */
export const limitOptionNames: readonly (keyof CallOptions)[] = ['timeoutMs', 'signal']

/** The options of a call that runs once, whatever becomes of it. */
export const unrepeatableOptionNames: readonly (keyof CallOptions)[] = [
  ...limitOptionNames,
  'route',
  'consistency',
]

/** Checks the options of a call; what it does not say is in `defaults`. `name` is what the call is called in errors. */
export function resolveCall(
  name: string,
  given: CallOptions | undefined,
  defaults: ResolvedCall,
  known: readonly string[] = optionNames,
): ResolvedCall {
  if (given === undefined) return defaults
  for (const key of Object.keys(given)) {
    if (!known.includes(key))
      throw invalidCallOption(`${name}.${key}`, `there is no such option${didYouMean(key, known)}`)
  }
  return {
    timeoutMs: readTimeout(name, given.timeoutMs) ?? defaults.timeoutMs,
    signal: readSignal(name, given.signal),
    route: readWord(`${name}.route`, given.route, routes) ?? defaults.route,
    repeatable: readFlag(`${name}.repeatable`, given.repeatable),
    consistency: readWord(`${name}.consistency`, given.consistency, consistencies) ?? defaults.consistency,
  }
}

const optionNames: readonly string[] = [...unrepeatableOptionNames, 'repeatable']
const routes: readonly RouteTarget[] = ['primary', 'replica', 'any']
const consistencies: readonly Consistency[] = ['eventual', 'session', 'strong']

// A little under 25 days: the longest timer that Node knows.
const maxTimeoutMs = 2_147_483_647

function readTimeout(name: string, value: unknown): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && value >= 1 && value <= maxTimeoutMs) return value
  throw invalidCallOption(`${name}.timeoutMs`, `expected a number of milliseconds from 1 to ${maxTimeoutMs}`)
}

function readWord<W extends string>(path: string, value: unknown, words: readonly W[]): W | undefined {
  if (value === undefined) return undefined
  const word = words.find((each) => each === value)
  if (word !== undefined) return word
  const hint = typeof value === 'string' ? didYouMean(value, words) : ''
  throw invalidCallOption(path, `expected one of ${words.join(', ')}${hint}`)
}

function readSignal(name: string, value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value
  throw invalidCallOption(`${name}.signal`, 'expected an AbortSignal')
}

function readFlag(path: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  throw invalidCallOption(path, 'expected true or false')
}

function invalidCallOption(path: string, problem: string): MariadbError {
  return new MariadbError('config-invalid', `${path}: ${problem}`)
}

/** What `transaction()` and `readOnly()` take. */
export interface TransactionOptions extends Omit<CallOptions, 'repeatable'> {
  /** Of this transaction alone. Default: that of the session. */
  readonly isolation?: Isolation
  /**
   * Names this piece of work in the ledger, 64 ASCII characters at most, so that after a crash `resolve(token)` says
   * what became of it, and the same token never commits twice. Default: one of its own for each run.
   */
  readonly token?: string
}

interface ResolvedTransactionCall {
  readonly call: ResolvedCall
  readonly isolation: Isolation | undefined
  readonly token: string | undefined
}

const isolations: readonly Isolation[] = [
  'read-uncommitted',
  'read-committed',
  'repeatable-read',
  'serializable',
]

/** Checks the options of a transaction. */
export function resolveTransactionOptions(
  name: string,
  given: TransactionOptions | undefined,
  defaults: ResolvedCall,
): ResolvedTransactionCall {
  const { isolation, token, ...call } = given ?? {}
  if (isolation !== undefined && !isolations.includes(isolation)) {
    const hint = didYouMean(String(isolation), isolations)
    throw new MariadbError(
      'config-invalid',
      `${name}.isolation: expected one of ${isolations.join(', ')}${hint}`,
    )
  }
  if (token !== undefined) checkToken(token, `${name}.token`)
  return { call: resolveCall(name, call, defaults, unrepeatableOptionNames), isolation, token }
}

/** Refuses what cannot name a row of the ledger; returns it as it is. */
export function checkToken(token: unknown, path: string): string {
  if (typeof token === 'string' && /^[\x21-\x7e]{1,64}$/.test(token)) return token
  throw new MariadbError(
    'config-invalid',
    `${path}: expected 1 to 64 printable ASCII characters without blanks`,
  )
}
