import type { Expression } from '../sql/expression.ts'
import type { ColumnDefinition, Insert } from '../sql/statement.ts'
import type { OkAnswer } from '../wire/answer.ts'
import type { Row, Value } from '../wire/value.ts'
import { columnIn, duplicateOf, rewrite, stored } from './change-row.ts'
import { evaluate, type Scope } from './evaluate.ts'
import { refusals } from './refusals.ts'
import type { Run } from './run.ts'
import type { Session } from './session.ts'
import { rowScope, scopeOf } from './statement-scope.ts'
import type { Table } from './table.ts'
import { type Aim, lock } from './work.ts'

/** Inserts the rows of an `INSERT`, one after the other. */
export async function insertRows(run: Run, aim: Aim, statement: Insert): Promise<Partial<OkAnswer>> {
  let [affectedRows, insertId, warnings] = [0, 0, 0]
  for (const [i, expressions] of statement.rows.entries()) {
    const made = rowFrom(run, aim.table, given(aim.table, statement.columns, expressions, i + 1))
    const fate = await put(run, aim, statement, made.row)
    affectedRows += fate.affectedRows
    warnings += fate.isIgnored ? 1 : 0
    if (insertId === 0 && fate.affectedRows > 0) insertId = fate.isOld ? idIn(aim.table, fate.row) : made.id
    if (made.isGenerated && run.session.lastInsertId !== insertId) run.session.lastInsertId = insertId
  }
  return { affectedRows, insertId, warnings }
}

function given(
  table: Table,
  columns: Insert['columns'],
  expressions: readonly Expression[],
  number: number,
): ReadonlyMap<number, Expression | undefined> {
  const names = columns ?? table.columns.map((column) => column.name)
  const indexes = names.map((name) => columnIn(table, name, 'INSERT INTO').index)
  if (expressions.length !== names.length) throw refusals.wrongCount(number)
  return new Map(indexes.map((index, at) => [index, expressions[at]]))
}

interface Made {
  readonly row: Row
  /** The value of its `AUTO_INCREMENT`: 0 for none. */
  readonly id: number
  readonly isGenerated: boolean
}

function rowFrom(run: Run, table: Table, expressions: ReadonlyMap<number, Expression | undefined>): Made {
  let isGenerated = false
  const row = table.columns.map((definition, index): Value => {
    const expression = expressions.get(index) ?? definition.default
    const value = expression === undefined ? null : evaluate(expression, scopeOf(run))
    if (definition.isAutoIncrement) {
      // NULL and 0 ask for the next one.
      isGenerated = value === null || value === 0
      return isGenerated ? nextId(run.session, table) : noted(table, stored(value, definition))
    }
    if (expression === undefined && !definition.isNullable) throw refusals.noDefault(definition.name)
    return stored(value, definition)
  })
  return { row, id: idIn(table, row), isGenerated }
}

function nextId(session: Session, table: Table): number {
  const increment = Number(session.variable('auto_increment_increment'))
  return table.nextId(increment, Number(session.variable('auto_increment_offset')))
}

function noted(table: Table, id: Value): Value {
  table.noteId(Number(id))
  return id
}

function idIn(table: Table, row: Row): number {
  const index = table.columns.findIndex((column: ColumnDefinition) => column.isAutoIncrement)
  return Number(row[index] ?? 0)
}

interface Fate {
  readonly affectedRows: number
  readonly row: Row
  /** Whether the row was there before. */
  readonly isOld: boolean
  readonly isIgnored: boolean
}

async function put(run: Run, aim: Aim, { onDuplicate }: Insert, row: Row): Promise<Fate> {
  const { table, transaction } = aim
  const key = table.keyOf(row)
  await lock(run, aim, key)
  const present = transaction.row(table, key, run.session.server.applier.applied)
  if (present === undefined) {
    transaction.put(table, key, row)
    return { affectedRows: 1, row, isOld: false, isIgnored: false }
  }
  if (onDuplicate === 'refuse') throw duplicateOf(table, row)
  if (onDuplicate === 'ignore') return { affectedRows: 0, row, isOld: true, isIgnored: true }
  const outside = insertingScope(run, table, row)
  const isChanged = await rewrite(run, aim, { key, row: present, values: onDuplicate, outside })
  // The server counts a row that was there and has changed twice; one that has not only for who counts found rows.
  if (isChanged) return { affectedRows: 2, row: present, isOld: true, isIgnored: false }
  return { affectedRows: run.session.countsFound ? 1 : 0, row: [], isOld: true, isIgnored: false }
}

// `VALUES(c)` is what the row would have had.
function insertingScope(run: Run, table: Table, row: Row): Scope {
  const outside = scopeOf(run)
  return {
    ...outside,
    call: (call, scope) => {
      const [arg] = call.args
      if (call.name !== 'values' || arg === undefined) return outside.call(call, scope)
      return evaluate(arg, rowScope(scope, table.columns, row))
    },
  }
}
