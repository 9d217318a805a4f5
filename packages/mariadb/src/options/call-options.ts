import { callOptions, optionChecks } from '@ha/core/driver'
import { MariadbError } from '../errors.ts'
import { type RouteTarget, routeTargets } from '../routing/route.ts'
import type { Isolation, ResolvedOptions } from './resolved-options.ts'
import { isolations } from './session-options.ts'

/** The data that a read must see: any state, everything that this client wrote, or everything committed before. */
export type Consistency = ResolvedOptions['consistency']

/** The options of a call. */
export interface CallOptions {
  /** The deadline of the whole call with all retries, in milliseconds. Default: `timeoutMs` of the client. */
  readonly timeoutMs?: number
  /** Aborts the call. A statement that was not sent is not done; the outcome of a sent one is unknown. */
  readonly signal?: AbortSignal
  /** The target: the writer, a replica, or any server. Default `primary`; for `readOnly()` `replica`. */
  readonly route?: RouteTarget
  /**
   * Whether the statement may run twice, so that it can be sent again after a lost answer. By default this is derived
   * from the statement: true for a SELECT that calls only built-in functions.
   */
  readonly repeatable?: boolean
  /** The data that a read must see. Default: `consistency` of the client, which is `eventual`. */
  readonly consistency?: Consistency
  /** With `true`, rows are lists of values: see {@link RowsAsArrayOptions}. */
  readonly rowsAsArray?: false
}

/**
 * The options of a call whose rows are lists of values in the order of the columns. Several columns may have one name;
 * the names are in `columns` and `meta` of the result.
 */
export interface RowsAsArrayOptions extends Omit<CallOptions, 'rowsAsArray'> {
  readonly rowsAsArray: true
}

/** The options of one call, checked and completed. */
export interface ResolvedCall {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly route: RouteTarget
  readonly repeatable: boolean | undefined
  readonly consistency: Consistency
  readonly rowsAsArray: boolean
}

/** The limits of one statement of a transaction or session, within those of the whole. */
export type StatementLimits = Partial<Pick<ResolvedCall, 'timeoutMs' | 'signal'>>

/** The options of one statement of a transaction or session. */
export interface StatementCall extends Pick<ResolvedCall, 'rowsAsArray'> {
  readonly limits: StatementLimits
}

const noLimits: StatementLimits = Object.freeze({})
const plainStatement: StatementCall = Object.freeze({ rowsAsArray: false, limits: noLimits })

/**
 * As {@link resolveCall}, for a statement of a transaction or session, whose server and consistency are those of the
 * whole. `repeatable` has no effect there: a statement is not repeated by itself.
 */
export function resolveStatementCall(
  name: string,
  given: CallOptions | RowsAsArrayOptions | undefined,
  enclosing: ResolvedCall,
): StatementCall {
  if (given === undefined) return plainStatement
  checkCallOptions(name, given)
  const { route = enclosing.route, consistency = enclosing.consistency } = given
  if (route !== 'any' && route !== enclosing.route) throw contradiction(`${name}.route`, enclosing.route)
  if (consistency !== 'eventual' && consistency !== enclosing.consistency)
    throw contradiction(`${name}.consistency`, enclosing.consistency)
  const { timeoutMs, signal, rowsAsArray = false } = given
  if (timeoutMs === undefined) return { rowsAsArray, limits: signal === undefined ? noLimits : { signal } }
  return { rowsAsArray, limits: { timeoutMs, signal } }
}

function contradiction(path: string, value: string): MariadbError {
  return invalidCallOption(
    path,
    `the transaction or session has '${value}', which holds for all its statements`,
  )
}

/** The call without options. */
export function defaultCall({
  timeoutMs,
  consistency,
}: Pick<ResolvedOptions, 'timeoutMs' | 'consistency'>): ResolvedCall {
  return {
    timeoutMs,
    consistency,
    route: 'primary',
    signal: undefined,
    repeatable: undefined,
    rowsAsArray: false,
  }
}

/** The options that only limit a call. */
export type CallLimits = Pick<CallOptions, 'timeoutMs' | 'signal'>

/** The names of {@link CallLimits}. */
export const limitOptionNames: readonly (keyof CallLimits)[] = ['timeoutMs', 'signal']

/** The options of a call that is never repeated. */
export const unrepeatableOptionNames: readonly Exclude<keyof CallOptions, 'repeatable' | 'rowsAsArray'>[] = [
  ...limitOptionNames,
  'route',
  'consistency',
]

/** Checks the options of a call and completes them from `defaults`. `name` is the name of the call in errors. */
export function resolveCall(
  name: string,
  given: CallOptions | RowsAsArrayOptions | undefined,
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
    rowsAsArray: given.rowsAsArray ?? false,
  }
}

const callOptionTable = {
  timeoutMs: optionChecks.timeoutMs,
  signal: optionChecks.signal,
  route: optionChecks.oneOf(routeTargets),
  repeatable: optionChecks.flag,
  consistency: optionChecks.oneOf(['eventual', 'session', 'strong']),
  rowsAsArray: optionChecks.flag,
}

const checkCallOptions = callOptions<CallOptions | RowsAsArrayOptions>({
  table: callOptionTable,
  invalid: invalidCallOption,
})

function invalidCallOption(path: string, problem: string): MariadbError {
  return new MariadbError('config-invalid', `${path}: ${problem}`)
}

/** The options of `transaction()` and `readOnly()`. */
export interface TransactionOptions extends Omit<CallOptions, 'repeatable' | 'rowsAsArray'> {
  /** The isolation level of this transaction. Default: that of the session. */
  readonly isolation?: Isolation
  /**
   * Identifies the transaction in the commit log: up to 64 printable ASCII characters. After a crash,
   * `resolve(token)` returns its outcome, and the same token never commits twice. Default: a generated token for each
   * attempt.
   */
  readonly token?: string
}

interface ResolvedTransactionCall {
  readonly call: ResolvedCall
  readonly isolation: Isolation | undefined
  readonly token: string | undefined
}

/** Checks and completes the options of a transaction. */
export function resolveTransactionOptions(
  name: string,
  given: TransactionOptions,
  defaults: ResolvedCall,
): ResolvedTransactionCall {
  checkTransactionOptions(name, given, transactionOptionNames)
  const { timeoutMs = defaults.timeoutMs, signal, route = defaults.route, isolation, token } = given
  const { consistency = defaults.consistency } = given
  const call = { timeoutMs, signal, route, consistency, repeatable: undefined, rowsAsArray: false }
  return { call, isolation, token }
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
