import { serverError } from '../engine/errors.ts'
import type { Execution, Session } from '../engine/session.ts'
import type { ColumnDefinition, Table } from '../engine/store.ts'
import { inTransaction } from '../engine/transaction.ts'
import { add, coerced, compare } from '../engine/values.ts'
import { type OkAnswer, okAnswer } from '../wire/answers.ts'
import type { Row, Value } from '../wire/values.ts'
import type { Assignment, Clauses } from './clauses.ts'
import type { Operand } from './operands.ts'
import { columnIn, type LockTarget, lockRow, lockRows, tableOf } from './table-access.ts'

/** `INSERT`: inserts rows, one after the other. */
export function insert(execution: Execution, clauses: Clauses): Promise<OkAnswer> {
  const { session } = execution
  return change(execution, clauses, async (target) => {
    let [affectedRows, insertId, warnings] = [0, 0, 0]
    for (const [i, operands] of clauses.rows.entries()) {
      const positions = valuePositions(target.table, clauses, i)
      const { row, isGenerated } = newRow(execution, target.table, positions, operands)
      const result = await put(execution, target, clauses, row)
      affectedRows += result.affectedRows
      warnings += result.warnings
      if (insertId === 0 && result.affectedRows > 0) insertId = idIn(target.table, result.row)
      if (isGenerated) session.lastInsertId = insertId
    }
    return { affectedRows, insertId, warnings }
  })
}

/** `UPDATE`: changes the rows that fit. */
export function update(execution: Execution, clauses: Clauses): Promise<OkAnswer> {
  const { assignments, conditions } = clauses
  return change(execution, clauses, async (target) => {
    for (const { column } of assignments) columnIn(target.table.columns, column, 'SET')
    const rows = await lockRows(execution, target, conditions)
    let changed = 0
    for (const [key, row] of rows) {
      if (await rewrite(execution, target, { key, row, assignments, inserted: row })) changed += 1
    }
    return { affectedRows: execution.session.countsFound ? rows.length : changed }
  })
}

/** `DELETE`: deletes the rows that fit. */
export function remove(execution: Execution, clauses: Clauses): Promise<OkAnswer> {
  return change(execution, clauses, async (target) => {
    const rows = await lockRows(execution, target, clauses.conditions)
    for (const [key] of rows) target.transaction.put(target.table, key, undefined)
    return { affectedRows: rows.length }
  })
}

async function change(
  { session }: Execution,
  { table: name }: Clauses,
  work: (target: LockTarget) => Promise<Partial<OkAnswer>>,
): Promise<OkAnswer> {
  const table = tableOf(session, name)
  const result = await inTransaction(session, (transaction) => {
    if (transaction.access === 'read-only') throw serverError('readOnlyTransaction')
    return work({ table, transaction, mode: 'update' })
  })
  return { ...okAnswer, ...result, tracked: session.takeTracked() }
}

// Which value of an inserted row belongs to a column, by the index of the column.
function valuePositions(table: Table, { text, rows }: Clauses, i: number): ReadonlyMap<number, number> {
  const listed = text('names')
  const names = listed === '' ? table.columns.map((column) => column.name) : listed.split(',')
  const indexes = names.map((name) => columnIn(table.columns, name, 'INSERT INTO'))
  if (rows[i]?.length !== names.length) throw serverError('wrongValueCount', i + 1)
  return new Map(indexes.map((index, position) => [index, position]))
}

interface NewRow {
  readonly row: Row
  /** Whether its `AUTO_INCREMENT` was generated. */
  readonly isGenerated: boolean
}

function newRow(
  execution: Execution,
  table: Table,
  positions: ReadonlyMap<number, number>,
  operands: readonly Operand[],
): NewRow {
  const { session } = execution
  let isGenerated = false
  const row = table.columns.map((definition, index): Value => {
    const operand = operands[positions.get(index) ?? -1]
    const value = operand === undefined ? definition.default?.(session) : operand.value(execution)
    if (!definition.isAutoIncrement) return storedOrDefault(value, definition)
    // NULL and 0 ask for the next value.
    isGenerated = (value ?? 0) === 0
    if (isGenerated) return nextId(session, table)
    table.noteId(Number(value))
    return stored(value ?? null, definition)
  })
  return { row, isGenerated }
}

function storedOrDefault(value: Value | undefined, definition: ColumnDefinition): Value {
  if (value === undefined && !definition.isNullable) throw serverError('noDefault', definition.name)
  return stored(value ?? null, definition)
}

function nextId(session: Session, table: Table): number {
  const increment = Number(session.variable('auto_increment_increment'))
  return table.nextId(increment, Number(session.variable('auto_increment_offset')))
}

function idIn(table: Table, row: Row): number {
  const index = table.columns.findIndex((column) => column.isAutoIncrement)
  return Number(row[index] ?? 0)
}

interface Inserted {
  readonly affectedRows: number
  /** The row whose `AUTO_INCREMENT` the client reads: the new one, or the one that was present. */
  readonly row: Row
  readonly warnings: number
}

async function put(
  execution: Execution,
  target: LockTarget,
  { assignments, has }: Clauses,
  row: Row,
): Promise<Inserted> {
  const { table, transaction } = target
  const key = table.keyOf(row)
  await lockRow(execution, target, key)
  const present = transaction.row(table, key, execution.session.server.applier.applied)
  if (present === undefined) {
    transaction.put(table, key, row)
    return { affectedRows: 1, row, warnings: 0 }
  }
  if (assignments.length === 0 && has('IGNORE')) return { affectedRows: 0, row, warnings: 1 }
  if (assignments.length === 0) throw duplicateKey(table, row)
  const rewriting = { key, row: present, assignments, inserted: row }
  // The server counts a present row that changes twice, and one that does not only for a client that counts found rows.
  if (await rewrite(execution, target, rewriting)) return { affectedRows: 2, row: present, warnings: 0 }
  return { affectedRows: execution.session.countsFound ? 1 : 0, row: [], warnings: 0 }
}

interface Rewriting {
  readonly key: string
  readonly row: Row
  readonly assignments: readonly Assignment[]
  /** The row that `VALUES(c)` refers to. */
  readonly inserted: Row
}

// Gives a locked row its new values; false when it has them already.
async function rewrite(execution: Execution, target: LockTarget, rewriting: Rewriting): Promise<boolean> {
  const { table, transaction } = target
  const { key, row } = rewriting
  const changed = assigned(execution, table, rewriting)
  if (changed.every((value, i) => isSame(value, row[i] ?? null))) return false
  const newKey = table.primaryKey.length === 0 ? key : table.keyOf(changed)
  if (newKey !== key) {
    await lockRow(execution, target, newKey)
    const present = transaction.row(table, newKey, execution.session.server.applier.applied)
    if (present !== undefined) throw duplicateKey(table, changed)
    transaction.put(table, key, undefined)
  }
  transaction.put(table, newKey, changed)
  return true
}

// Each assignment sees the ones before it.
function assigned(execution: Execution, table: Table, { row, assignments, inserted }: Rewriting): Row {
  return assignments.reduce<Row>((current, { column, operand, base }) => {
    const index = columnIn(table.columns, column, 'SET')
    let value = operand?.value(execution) ?? null
    if (base !== undefined) {
      const source = base.isInserted ? inserted : current
      const before = source[columnIn(table.columns, base.column, 'SET')] ?? null
      value = operand === undefined ? before : add(before, value, base.sign)
    }
    return current.map((each, i) => (i === index ? storedAt(table, index, value) : each))
  }, row)
}

function isSame(value: Value, other: Value): boolean {
  return value === other || compare(value, other) === 0
}

function duplicateKey(table: Table, row: Row): Error {
  return serverError('duplicateKey', table.keyValues(row).map(String).join('-'))
}

function storedAt(table: Table, index: number, value: Value): Value {
  const definition = table.columns[index]
  return definition === undefined ? value : stored(value, definition)
}

// A value as its column keeps it.
function stored(value: Value, { name, type, isNullable }: ColumnDefinition): Value {
  if (value === null && !isNullable) throw serverError('notNull', name)
  return coerced(value, type)
}
