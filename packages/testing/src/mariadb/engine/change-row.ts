import type { ColumnDefinition, ColumnValue } from '../sql/statement.ts'
import type { Row, Value } from '../wire/value.ts'
import { coerced } from './coerce.ts'
import { compare } from './compare.ts'
import { evaluate, type Place, type Scope } from './evaluate.ts'
import { shownKey } from './key.ts'
import { refusals } from './refusals.ts'
import type { Run } from './run.ts'
import { rowScope } from './statement-scope.ts'
import type { Table } from './table.ts'
import { type Aim, lock } from './work.ts'

/** A row, and the values that it is to have. */
export interface Rewriting {
  readonly key: string
  readonly row: Row
  readonly values: readonly ColumnValue[]
  readonly outside: Scope
}

/** Gives a row that is locked new values; false when it has them already. */
export async function rewrite(
  run: Run,
  aim: Aim,
  { key, row, values, outside }: Rewriting,
): Promise<boolean> {
  const { table, transaction } = aim
  const changed = assigned(table, row, values, outside)
  if (changed.every((value, i) => isSame(value, row[i] ?? null))) return false
  const newKey = table.primaryKey.length === 0 ? key : table.keyOf(changed)
  if (newKey !== key) {
    await lock(run, aim, newKey)
    const present = transaction.row(table, newKey, run.session.server.applier.applied)
    if (present !== undefined) throw duplicateOf(table, changed)
    transaction.put(table, key, undefined)
  }
  transaction.put(table, newKey, changed)
  return true
}

// Each assignment sees those before it.
function assigned(table: Table, row: Row, values: readonly ColumnValue[], outside: Scope): Row {
  return values.reduce<Row>((current, { column, value }) => {
    const { index, definition } = columnIn(table, column, 'SET')
    const scope = rowScope({ ...outside, place: 'SET' }, table.columns, current)
    return current.with(index, stored(evaluate(value, scope), definition))
  }, row)
}

function isSame(value: Value, other: Value): boolean {
  return value === other || compare(value, other) === 0
}

/** The refusal of a row whose key is taken. */
export function duplicateOf(table: Table, row: Row): Error {
  return refusals.duplicate(shownKey(table.primaryKey.map((index) => row[index] ?? null)))
}

/** A column by its name; refuses when there is none. */
export function columnIn(
  table: Table,
  name: string,
  place: Place,
): { readonly index: number; readonly definition: ColumnDefinition } {
  const index = table.indexOf(name)
  const definition = table.columns[index]
  if (definition === undefined) throw refusals.unknownColumn(name, place)
  return { index, definition }
}

/** A value as its column keeps it; refuses NULL where it must not be. */
export function stored(value: Value, { name, type, isNullable }: ColumnDefinition): Value {
  if (value === null && !isNullable) throw refusals.notNull(name)
  return coerced(value, type)
}
