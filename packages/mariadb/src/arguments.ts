import { isHaError } from '@ha/core'
import { asError, typeName } from '@ha/core/driver'
import { encodeValue } from './driver/codec.ts'
import type { Args, Statement } from './driver/statement.ts'
import { MariadbError } from './errors.ts'
import { type Placeholder, placeholdersOf, sessionUse } from './sql-text.ts'

/**
 * Checks a statement and its values before anything is sent, and brings the values into the form that both protocols
 * write alike: names become positions, and a list inside `IN (…)` becomes as many values. Throws `config-invalid`;
 * `call` is the name of the call in errors.
 */
export function statementOf<K extends 'text' | 'prepared'>(
  call: string,
  kind: K,
  sql: unknown,
  args: unknown,
): Statement & { readonly kind: K } {
  checkSql(call, sql)
  if (args === undefined) return withoutArguments(call, kind, sql)
  try {
    return withArguments(call, kind, sql, args)
  } catch (thrown) {
    throw unreadable(call, 'the values', thrown)
  }
}

function withArguments<K extends 'text' | 'prepared'>(
  call: string,
  kind: K,
  sql: string,
  args: unknown,
): Statement & { readonly kind: K } {
  const { marks, certain } = placeholdersOf(sql)
  if (!isArgs(args))
    throw invalid(call, 'the values: expected a list, or an object with a value for each :name')
  const named = !Array.isArray(args)
  const used = marks.filter((mark) => (mark.name !== undefined) === named)
  const values = named ? namedValues(call, args, marks) : (args as readonly unknown[])
  if (!named && certain) checkCount(call, used.length, values.length)
  return { kind, ...spread(call, sql, used, values) }
}

/** As {@link statementOf}, for one statement with many rows. A list in a row is a document. */
export function batchOf(call: string, sql: unknown, rows: unknown): Statement {
  checkSql(call, sql)
  try {
    return batchOfRows(call, sql, rows)
  } catch (thrown) {
    throw unreadable(call, 'the rows', thrown)
  }
}

function batchOfRows(call: string, sql: string, rows: unknown): Statement {
  if (!Array.isArray(rows) || rows.length === 0)
    throw invalid(call, 'the rows: expected a list of at least one row')
  const { marks, certain } = placeholdersOf(sql)
  const named = !Array.isArray(rows[0])
  const used = marks.filter((mark) => (mark.name !== undefined) === named)
  const args = rows.map((row: unknown, i) => {
    const place = `row ${i}`
    if (!isArgs(row) || Array.isArray(row) === named)
      throw invalid(
        call,
        `${place} has another shape than the first row: expected ${named ? 'an object' : 'a list'}`,
      )
    const values = named ? namedValues(`${call}: ${place}`, row, marks) : (row as readonly unknown[])
    if (!named && certain) checkCount(`${call}: ${place}`, used.length, values.length)
    return values.map((value, at) => encoded(`${call}: ${place}`, value, placeOf(used[at], at)))
  })
  return {
    kind: 'batch',
    sql: named
      ? positional(
          sql,
          used,
          used.map(() => '?'),
        )
      : sql,
    args,
  }
}

/** Throws `config-invalid` for a single statement that needs a session of its own, or warns once. */
export function checkSessionUse(call: string, { sql }: Statement, warn: (text: string) => void): void {
  const use = sessionUse(sql)
  if (use === undefined) return
  const problem = `${use.what} concerns one connection, and each call may get another one: use ${use.call}`
  if (use.kind === 'refused') throw invalid(call, problem)
  warn(`${call}: ${problem}`)
}

/** Throws `config-invalid` for a callback that is none. */
export function checkCallback(call: string, fn: unknown): void {
  if (typeof fn !== 'function') throw invalid(call, `expected a function, got ${kindOf(fn)}`)
}

function checkSql(call: string, sql: unknown): asserts sql is string {
  if (typeof sql !== 'string') throw invalid(call, `the statement: expected text, got ${kindOf(sql)}`)
  if (sql.trim() === '') throw invalid(call, 'the statement: expected text, got an empty one')
}

function withoutArguments<K extends Statement['kind']>(
  call: string,
  kind: K,
  sql: string,
): Statement & { readonly kind: K } {
  const { marks, certain } = placeholdersOf(sql)
  const count = marks.filter(({ name }) => name === undefined).length
  if (certain && count > 0) checkCount(call, count, 0)
  return { kind, sql }
}

function checkCount(call: string, expected: number, got: number): void {
  if (expected !== got)
    throw invalid(call, `the statement has ${expected} placeholders, and ${got} values are given`)
}

function namedValues(call: string, args: Args, marks: readonly Placeholder[]): readonly unknown[] {
  if (marks.some(({ name }) => name === undefined))
    throw invalid(call, "'?' takes its values from a list, and an object is given")
  return marks.map(({ name = '' }) => {
    if (name in args) return (args as Readonly<Record<string, unknown>>)[name]
    throw invalid(call, `there is no value for :${name}`)
  })
}

// Replaces the marks whose values are lists, and all names.
function spread(
  call: string,
  sql: string,
  marks: readonly Placeholder[],
  values: readonly unknown[],
): Pick<Statement, 'sql' | 'args'> {
  const args: unknown[] = []
  let changed = false
  const texts = values.map((value, at) => {
    const mark = marks[at]
    const place = placeOf(mark, at)
    changed ||= mark?.name !== undefined
    if (mark?.list !== true || !Array.isArray(value)) {
      args.push(encoded(call, value, place))
      return '?'
    }
    changed = true
    return expanded(call, value, place, args)
  })
  return { sql: changed ? positional(sql, marks, texts) : sql, args }
}

// A list of lists is a list of rows: `(a, b) IN (?)`.
function expanded(call: string, list: readonly unknown[], place: string, args: unknown[]): string {
  if (list.length === 0)
    throw invalid(call, `argument ${place} is an empty list: SQL has no empty IN (), leave the condition out`)
  const texts = list.map((value) => {
    if (Array.isArray(value)) return `(${expanded(call, value, place, args)})`
    args.push(encoded(call, value, place))
    return '?'
  })
  return texts.join(',')
}

function positional(sql: string, marks: readonly Placeholder[], texts: readonly string[]): string {
  let text = ''
  let from = 0
  for (const [i, { at, end }] of marks.entries()) {
    text += sql.slice(from, at) + (texts[i] ?? '?')
    from = end
  }
  return text + sql.slice(from)
}

function placeOf(mark: Placeholder | undefined, at: number): string {
  return mark?.name === undefined ? String(at) : `:${mark.name}`
}

function encoded(call: string, value: unknown, place: string): unknown {
  try {
    return encodeValue(value, place, undefined)
  } catch (thrown) {
    throw invalid(call, asError(thrown).message)
  }
}

function isArgs(value: unknown): value is Args {
  return typeof value === 'object' && value !== null && !isContainer(value)
}

// An object without a name of a value: it must not count as an object without values.
function isContainer(value: object): boolean {
  return value instanceof Map || value instanceof Set || value instanceof Date || ArrayBuffer.isView(value)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return typeName(value) === 'a list' ? 'a list' : `a value of type ${typeof value}`
}

function invalid(call: string, problem: string, cause?: unknown): MariadbError {
  return new MariadbError('config-invalid', `${call}: ${problem}`, { cause })
}

// What a getter, an iterator or a revoked proxy of the caller throws, without its text, which may hold a value.
function unreadable(call: string, what: string, thrown: unknown): unknown {
  if (isHaError(thrown)) return thrown
  return invalid(call, `${what} could not be read (${asError(thrown).name})`, thrown)
}
