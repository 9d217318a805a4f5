import type { Expression } from '../sql/expression.ts'
import type { TableName } from '../sql/statement.ts'
import type { ColumnType } from '../wire/column.ts'
import type { Row, Value } from '../wire/value.ts'
import { keyLookedFor } from './key-lookup.ts'
import type { Values } from './membership.ts'
import { refusals } from './refusals.ts'
import type { Run } from './run.ts'
import type { Session } from './session.ts'
import { scopeOf } from './statement-scope.ts'
import type { Table } from './table.ts'
import type { Transaction } from './transaction.ts'

/** Rows to choose from, and what their columns are. */
export interface Source {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly type: ColumnType }[]
  readonly rows: Iterable<readonly [string, Row]>
}

/** A table by its name; refuses when there is none. */
export function tableOf(session: Session, { schema = session.schema, name }: TableName): Table {
  if (schema === undefined) throw refusals.noSchemaInUse()
  const table = session.server.store.table(schema, name)
  if (table === undefined) throw refusals.noSuchTable(`${schema}.${name}`)
  return table
}

/** The rows of a table that a transaction sees at a moment; only one of them when its whole key is looked for. */
export function rowsOf(
  run: Run,
  { table, transaction, seqno }: { table: Table; transaction: Transaction; seqno: number },
  where: Expression | undefined,
): Source {
  const key = where === undefined ? undefined : keyLookedFor(table, where, scopeOf(run))
  const { name, columns } = table
  if (key === undefined) return { name, columns, rows: transaction.rows(table, seqno) }
  const row = transaction.row(table, key, seqno)
  return { name, columns, rows: row === undefined ? [] : [[key, row]] }
}

/** Names and values as a table with two columns. */
export function valuesAsRows(values: Values, [name, value]: readonly [string, string]): Source {
  const rows = Object.entries(values).map(([each, of]): readonly [string, Row] => [
    each,
    [each, textOrNull(of)],
  ])
  return {
    name: '',
    columns: [
      { name, type: 'text' },
      { name: value, type: 'text' },
    ],
    rows,
  }
}

/** What `information_schema` knows under this name; undefined for a table of the user. */
export function schemaTable(session: Session, { schema, name }: TableName): Source | undefined {
  if (schema?.toLowerCase() !== 'information_schema') return undefined
  const columns = ['VARIABLE_NAME', 'VARIABLE_VALUE'] as const
  switch (name.toLowerCase()) {
    case 'global_status':
    case 'session_status':
      return valuesAsRows(upperNames(session.server.statusValues), columns)
    case 'global_variables':
      return valuesAsRows(upperNames(session.server.variables), columns)
    case 'session_variables':
      return valuesAsRows(upperNames(sessionVariables(session)), columns)
    default:
      throw refusals.noSuchTable(`information_schema.${name}`)
  }
}

/** All variables as a session has them. */
export function sessionVariables(session: Session): Values {
  const names = Object.keys(session.server.variables)
  return Object.fromEntries(names.map((name) => [name, session.variable(name) ?? null]))
}

function upperNames(values: Values): Values {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name.toUpperCase(), value]))
}

function textOrNull(value: Value): Value {
  return value === null ? null : String(value)
}
