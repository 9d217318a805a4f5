import { didYouMean, invalidOption } from '@ha/core/driver'
import { isNamedZone, isUtc } from '../driver/dates.ts'
import type { Isolation, VariableValue } from './resolved-options.ts'
import { anyText, type ValueReader } from './value-readers.ts'

/** Session variables with their values. */
export type Variables = Readonly<Record<string, VariableValue>>

/** Reads an object of session variables. Names are without `@@` or `session.`. */
export const variables: ValueReader<Variables> = (given, place) => {
  if (given === undefined) return Object.freeze({})
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidOption(place, 'expected an object of names and values')
  }
  for (const [name, value] of Object.entries(given)) {
    checkName(name, place)
    if (!isValue(value)) {
      throw invalidOption(`${place}.${name}`, 'expected text, a finite number, true, false or null')
    }
  }
  return Object.freeze({ ...given })
}

/**
 * Reads Java's `a=1,b='x,y'`, separated by commas or semicolons. Expressions are refused; they belong in `initSql`.
 */
export const javaVariables: ValueReader<Variables> = (value, place) => {
  const found: Record<string, VariableValue> = {}
  let rest = anyText(value, place)
  while (rest !== '') {
    const match = assignment.exec(rest)
    const [all, name = '', single, double, word = ''] = match ?? []
    if (all === undefined) {
      throw invalidOption(place, "expected name=value,name='value'; write an expression in session.initSql")
    }
    const key = name.toLowerCase()
    checkName(key, place)
    found[key] = single ?? double ?? meaningOf(word)
    rest = rest.slice(all.length)
  }
  return found
}

// A name, '=', and quoted text without escapes or a bare word; then a separator or the end.
const assignment =
  /^\s*(?:@@)?(?:session\.)?([a-z_][a-z0-9_]*)\s*=\s*(?:'([^'\\]*)'|"([^"\\]*)"|([\w.:+-]+))\s*(?:[,;]|$)/i

function meaningOf(word: string): VariableValue {
  if (/^-?\d+(?:\.\d+)?$/.test(word)) return Number(word)
  const meanings = new Map<string, VariableValue>([
    ['true', true],
    ['false', false],
    ['null', null],
  ])
  const meaning = meanings.get(word.toLowerCase())
  return meaning === undefined ? word : meaning
}

function checkName(name: string, place: string): void {
  if (!/^[a-z_][a-z0-9_]*$/i.test(name)) {
    throw invalidOption(place, "expected names of session variables, without '@@' or 'session.'")
  }
  const why = fixedVariableProblem(name)
  if (why !== undefined) throw invalidOption(place, why)
}

function isValue(value: unknown): boolean {
  return value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value)
}

/** Variables with a fixed value, and the reason for each. */
const fixedVariables: ReadonlyMap<string, string> = new Map([
  ['autocommit', 'statements outside transaction() run in autocommit mode'],
  ['completion_type', 'COMMIT must not begin a new transaction'],
  ['tx_read_only', 'read-only transactions are requested per call: readOnly()'],
  ['transaction_read_only', 'read-only transactions are requested per call: readOnly()'],
  ['sql_log_bin', 'a write that is not logged does not reach the replicas'],
  ['wsrep_on', 'a write that is not replicated does not reach the other nodes'],
  // Dates are converted in the session's zone: two options for it could contradict each other.
  ['time_zone', 'use the option session.timeZone'],
])

/** Why a variable must not be set; undefined when it may. */
function fixedVariableProblem(variable: string): string | undefined {
  const name = variable.toLowerCase()
  const reason = fixedVariables.get(name)
  return reason === undefined ? undefined : `${name} cannot be set here: ${reason}`
}

// The session variables that a `SET` assigns: each after a comma or the first word.
const assigned = /(?:^SET\s+|,\s*)(?:(?:SESSION|LOCAL)\s+|@@(?:(?:SESSION|LOCAL)\.)?)?`?(\w+)`?\s*:?=/gi

const stringLiterals = /'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"/gs

/**
 * Why a statement must not initialize a session, according to its text; undefined when it may. The effects of procedures
 * are not visible.
 */
export function initSqlProblem(sql: string): string | undefined {
  const text = sql.trim().replaceAll(stringLiterals, "''")
  if (/^(?:BEGIN\s*;?$|START\s+TRANSACTION\b)/i.test(text))
    return 'an open transaction would contain the first writes of the session'
  if (!/^SET\s/i.test(text)) return undefined
  for (const [, name = ''] of text.matchAll(assigned)) {
    const why = fixedVariableProblem(name)
    if (why !== undefined) return why
  }
  return undefined
}

const offset = /^[+-](?:0\d|1[0-4]):[0-5]\d$/

/** Reads a time zone: `server`, an offset such as `+02:00`, or a name such as `Europe/Berlin`. */
export const timeZone: ValueReader<string> = (value, place) => {
  if (typeof value === 'string') {
    if (value === 'server' || offset.test(value)) return value
    if (isUtc(value)) return '+00:00'
    if (isNamedZone(value)) return value
  }
  const nearest = typeof value === 'string' ? didYouMean(value, Intl.supportedValuesOf('timeZone')) : ''
  throw invalidOption(
    place,
    `expected 'server', an offset such as '+02:00', or a zone such as 'Europe/Berlin'${nearest}`,
  )
}

/**
 * Reads Java's names for a zone: `disabled` and `SERVER` keep the server's; the zone of the local machine is refused.
 */
export const javaTimeZone: ValueReader<string> = (value, place) => {
  const word = String(value).toLowerCase()
  if (word === 'disabled' || word === 'server') return 'server'
  if (word === 'local' || word === 'auto') {
    throw invalidOption(place, "the local zone differs between machines: write a zone, such as '+02:00'")
  }
  return timeZone(value, place)
}

/** The isolation levels, weakest first. */
export const isolations: readonly Isolation[] = [
  'read-uncommitted',
  'read-committed',
  'repeatable-read',
  'serializable',
]

/** The SQL name of an isolation level, such as `READ COMMITTED`. */
export function isolationInSql(isolation: Isolation): string {
  return isolation.replaceAll('-', ' ').toUpperCase()
}

/** Reads `READ-COMMITTED`, `READ_COMMITTED` and Java's `TRANSACTION_READ_COMMITTED`. */
export const javaIsolation: ValueReader<Isolation> = (value, place) => {
  const word = String(value)
    .toLowerCase()
    .replace(/^transaction_/, '')
    .replaceAll('_', '-')
  const isolation = isolations.find((candidate) => candidate === word)
  if (isolation !== undefined) return isolation
  throw invalidOption(
    place,
    `expected one of ${isolations.join(', ')}; TRANSACTION_READ_COMMITTED is accepted as well`,
  )
}
