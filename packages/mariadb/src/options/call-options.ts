import { callOptions, optionChecks } from '@ha/core/driver'
import { MariadbError } from '../errors.ts'
import { type RouteTarget, routeTargets } from '../routing/route.ts'
import type { Isolation, ResolvedOptions } from './resolved-options.ts'
import { isolations } from './session-options.ts'

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
export const limitOptionNames: readonly (keyof CallLimits)[] = ['timeoutMs', 'signal']

/** The options of a call that runs once, whatever becomes of it. */
export const unrepeatableOptionNames: readonly Exclude<keyof CallOptions, 'repeatable'>[] = [
  ...limitOptionNames,
  'route',
  'consistency',
]

/** Checks the options of a call and completes them from `defaults`. `name` is the name of the call in errors. */
export function resolveCall(
  name: string,
  given: CallOptions | undefined,
  defaults: ResolvedCall,
  names?: readonly (keyof CallOptions)[],
): ResolvedCall {
  if (given === undefined) return defaults
  checkCallOptions(name, given, names)
  return {
    timeoutMs: given.timeoutMs ?? defaults.timeoutMs,
    signal: given.signal,
    route: given.route ?? defaults.route,
    repeatable: given.repeatable,
    consistency: given.consistency ?? defaults.consistency,
  }
}

const callOptionTable = {
  timeoutMs: optionChecks.timeoutMs,
  signal: optionChecks.signal,
  route: optionChecks.oneOf(routeTargets),
  repeatable: optionChecks.flag,
  consistency: optionChecks.oneOf(['eventual', 'session', 'strong']),
}

const checkCallOptions = callOptions<CallOptions>({ table: callOptionTable, invalid: invalidCallOption })

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

/** Checks the options of a transaction. */
export function resolveTransactionOptions(
  name: string,
  given: TransactionOptions,
  defaults: ResolvedCall,
): ResolvedTransactionCall {
  checkTransactionOptions(name, given, transactionOptionNames)
  const { timeoutMs = defaults.timeoutMs, signal, route = defaults.route, isolation, token } = given
  const { consistency = defaults.consistency } = given
  return { call: { timeoutMs, signal, route, consistency, repeatable: undefined }, isolation, token }
}

const transactionOptionNames: readonly (keyof TransactionOptions)[] = [
  ...unrepeatableOptionNames,
  'isolation',
  'token',
]

const checkTransactionOptions = callOptions<TransactionOptions>({
  table: { ...callOptionTable, isolation: optionChecks.oneOf(isolations), token: checkTokenValue },
  invalid: invalidCallOption,
})

/** Throws for a value that cannot be the token of a row in the commit log. */
export function checkToken(token: unknown, path: string): void {
  const problem = checkTokenValue(token)
  if (problem !== undefined) throw invalidCallOption(path, problem)
}

function checkTokenValue(token: unknown): string | undefined {
  if (typeof token === 'string' && /^[\x21-\x7e]{1,64}$/.test(token)) return undefined
  return 'expected 1 to 64 printable ASCII characters without blanks'
}
