import { serverError } from '../engine/errors.ts'
import type { LockMode } from '../engine/locks.ts'
import type { Server } from '../engine/server.ts'
import type { Execution, Session } from '../engine/session.ts'
import { indexOfColumn, type Table } from '../engine/store.ts'
import type { Transaction } from '../engine/transaction.ts'
import { coerced, compare, keyOf, numberOf } from '../engine/values.ts'
import type { Row } from '../wire/values.ts'
import type { Condition, TableName } from './clauses.ts'

/** The part of a statement that a message about a column names, in the words of the server. */
export type ClauseName = 'SELECT' | 'WHERE' | 'SET' | 'ORDER BY' | 'INSERT INTO'

/** A table by its name; fails when there is none. */
export function tableOf(session: Session, { schema = session.schema, name }: TableName): Table {
  if (schema === undefined) throw serverError('noSchemaSelected')
  const table = session.server.store.table(schema, name)
  if (table === undefined) throw serverError('noSuchTable', `${schema}.${name}`)
  return table
}

/** The index of a column by its name; fails when there is none. */
export function columnIn(
  columns: readonly { readonly name: string }[],
  name: string,
  clause: ClauseName,
): number {
  const index = indexOfColumn(columns, name)
  if (index < 0) throw serverError('unknownColumn', name, clause)
  return index
}

/** The rows of a table as some reader sees them. */
export interface TableView {
  readonly keys: () => Iterable<string>
  readonly row: (key: string) => Row | undefined
}

/** What a transaction sees of a table: its own changes on top of the commits up to that number. */
export function snapshotView(transaction: Transaction, table: Table, seqno: number): TableView {
  return {
    keys: () => new Set([...table.keys(), ...(transaction.changes.get(table)?.keys() ?? [])]),
    row: (key) => transaction.row(table, key, seqno),
  }
}

/**
 * A table as if all open transactions of a server were committed: what READ UNCOMMITTED reads, and whose locks a
 * statement waits for. At most one open transaction has changed a row: the one that holds its lock.
 */
export function uncommittedView(server: Server, table: Table): TableView {
  const open = new Map<string, Row | undefined>()
  for (const { transaction } of server.sessions) {
    for (const [key, row] of transaction?.changes.get(table) ?? []) open.set(key, row)
  }
  return {
    keys: () => new Set([...table.keys(), ...open.keys()]),
    row: (key) => (open.has(key) ? open.get(key) : table.at(key, server.applier.applied)),
  }
}

/** The rows of a view that fit all conditions, with their keys. */
export function matchingRows(
  execution: Execution,
  { table, view }: { readonly table: Table; readonly view: TableView },
  conditions: readonly Condition[],
): readonly (readonly [string, Row])[] {
  const fits = filterOf(execution, table.columns, conditions)
  const key = wantedKey(execution, table, conditions)
  const rows: (readonly [string, Row])[] = []
  for (const each of key === undefined ? view.keys() : [key]) {
    const row = view.row(each)
    if (row !== undefined && fits(row)) rows.push([each, row])
  }
  return rows
}

/** The conditions as one test of a row with these columns. */
export function filterOf(
  execution: Execution,
  columns: readonly { readonly name: string }[],
  conditions: readonly Condition[],
): (row: Row) => boolean {
  const tests = conditions.map(({ column, operator, values }) => {
    const index = columnIn(columns, column, 'WHERE')
    const wanted = values.map((operand) => operand.value(execution))
    return (row: Row) => wanted.some((value) => passes[operator](compare(row[index] ?? null, value)))
  })
  return (row) => tests.every((test) => test(row))
}

// The order of two values is undefined when one of them is NULL: then no comparison passes.
const passes: Readonly<Record<Condition['operator'], (order: number | undefined) => boolean>> = {
  '=': (order) => order === 0,
  '<>': (order) => order !== undefined && order !== 0,
  '!=': (order) => order !== undefined && order !== 0,
  '<': (order = 0) => order < 0,
  '<=': (order = 1) => order <= 0,
  '>': (order = 0) => order > 0,
  '>=': (order = -1) => order >= 0,
}

// The key of the only row that can fit, when the conditions give the whole primary key.
function wantedKey(execution: Execution, table: Table, conditions: readonly Condition[]): string | undefined {
  const parts = table.primaryKey.flatMap((index) => {
    const column = table.columns[index]
    const equality = conditions.find(
      ({ column: name, operator, values }) =>
        operator === '=' && values.length === 1 && indexOfColumn(table.columns, name) === index,
    )
    const value = equality?.values[0]?.value(execution)
    return value === undefined || column === undefined ? [] : [coerced(value, column.type)]
  })
  return parts.length > 0 && parts.length === table.primaryKey.length ? keyOf(parts) : undefined
}

/** Rows that a transaction wants to lock. */
export interface LockTarget {
  readonly table: Table
  readonly transaction: Transaction
  readonly mode: LockMode
}

/**
 * Locks the rows that fit, and returns them in their latest state, whatever the transaction has read before. A row that
 * another transaction has inserted and not committed is waited for as well.
 */
export async function lockRows(
  execution: Execution,
  target: LockTarget,
  conditions: readonly Condition[],
): Promise<readonly (readonly [string, Row])[]> {
  const { table, transaction } = target
  const { server } = execution.session
  const latest = (): readonly (readonly [string, Row])[] => {
    const view = snapshotView(transaction, table, server.applier.applied)
    return matchingRows(execution, { table, view }, conditions)
  }
  const open = matchingRows(execution, { table, view: uncommittedView(server, table) }, conditions)
  const keys = new Set([...latest(), ...open].map(([key]) => key))
  for (const key of keys) await lockRow(execution, target, key)
  return keys.size === 0 ? [] : latest()
}

/** Locks one row. */
export function lockRow(
  { session, signal }: Execution,
  { table, transaction, mode }: LockTarget,
  key: string,
): Promise<void> {
  const timeoutMs = Number(numberOf(session.variable('innodb_lock_wait_timeout') ?? 0)) * 1_000
  return session.server.locks.acquire(table, key, transaction, { mode, timeoutMs, signal })
}
