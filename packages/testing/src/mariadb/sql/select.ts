import { serverError } from '../engine/errors.ts'
import type { Execution } from '../engine/session.ts'
import type { Table } from '../engine/store.ts'
import { inTransaction, snapshotOf, type Transaction } from '../engine/transaction.ts'
import { add, compare } from '../engine/values.ts'
import type { Column, ColumnType, RowsAnswer } from '../wire/answers.ts'
import type { Row, Value } from '../wire/values.ts'
import type { AggregateFunction, Clauses, Item, TableName } from './clauses.ts'
import { columnIn, lockRows, matchingRows, snapshotView, tableOf, uncommittedView } from './table-access.ts'

/** `SELECT`: reads a table, or computes values when there is none. */
export async function select(
  execution: Execution,
  clauses: Clauses,
  name: TableName | undefined,
): Promise<RowsAnswer> {
  await waitForCluster(execution)
  const values = new Map<Item, Value>()
  for (const item of clauses.items) {
    if (item.kind === 'value') values.set(item, await item.operand.value(execution))
  }
  if (name === undefined) return answerOf(outputsOf(clauses.items, values, undefined), [[]])
  const table = tableOf(execution.session, name)
  const outputs = outputsOf(clauses.items, values, table)
  return inTransaction(execution.session, async (transaction) => {
    const rows = sortedRows(await readRows(execution, { table, transaction }, clauses), table, clauses)
    const limit = clauses.value?.value(execution)
    return answerOf(outputs, limit === undefined ? rows : rows.slice(0, Number(limit)))
  })
}

// Reads wait for the whole cluster when the session asks for it; 30 s is Galera's own limit.
async function waitForCluster({ session, signal }: Execution): Promise<void> {
  const { applier, store } = session.server
  if (!session.waitsForCluster || Number(session.variable('wsrep_sync_wait')) === 0) return
  if (!(await applier.hasReached(store.seqno, { timeoutMs: 30_000, signal })))
    throw serverError('lockWaitTimeout')
}

async function readRows(
  execution: Execution,
  { table, transaction }: { readonly table: Table; readonly transaction: Transaction },
  { conditions, has }: Clauses,
): Promise<readonly Row[]> {
  const { session } = execution
  if (has('FOR UPDATE') || has('LOCK IN SHARE MODE')) {
    const mode = has('FOR UPDATE') ? 'update' : 'share'
    const locked = await lockRows(execution, { table, transaction, mode }, conditions)
    return locked.map(([, row]) => row)
  }
  const view =
    session.variable('tx_isolation') === 'READ-UNCOMMITTED'
      ? uncommittedView(session.server, table)
      : snapshotView(transaction, table, snapshotOf(session, transaction))
  return matchingRows(execution, { table, view }, conditions).map(([, row]) => row)
}

function sortedRows(rows: readonly Row[], table: Table, { text, has }: Clauses): readonly Row[] {
  if (text('column') === '') return rows
  const index = columnIn(table.columns, text('column'), 'ORDER BY')
  const sign = has('DESC') ? -1 : 1
  return rows.toSorted((a, b) => sign * (compare(a[index] ?? null, b[index] ?? null) ?? 0))
}

/** One column of the result, and its value for a row, or for all rows together. */
interface Output {
  readonly column: Column
  readonly isAggregate: boolean
  readonly value: (row: Row, rows: readonly Row[]) => Value
}

function outputsOf(
  items: readonly Item[],
  values: ReadonlyMap<Item, Value>,
  table: Table | undefined,
): readonly Output[] {
  return items.flatMap((item) => {
    if (item.kind === 'all') return table?.columns.map(({ name }) => columnOutput(table, name, name)) ?? []
    if (item.kind === 'column') return columnOutput(table, item.name, item.column)
    if (item.kind === 'aggregate') return aggregateOutput(table, item)
    const value = values.get(item) ?? null
    const column: Column = { name: item.name, type: item.operand.type(value) }
    return { column, isAggregate: false, value: () => value }
  })
}

function columnOutput(table: Table | undefined, name: string, of: string): Output {
  const index = columnIn(table?.columns ?? [], of, 'SELECT')
  const column: Column = { name, type: table?.columns[index]?.type ?? 'text', table: table?.name ?? '' }
  return { column, isAggregate: false, value: (row) => row[index] ?? null }
}

function aggregateOutput(
  table: Table | undefined,
  { name, function: fold, column: of }: Extract<Item, { readonly kind: 'aggregate' }>,
): Output {
  const columns = table?.columns ?? []
  const index = of === undefined ? undefined : columnIn(columns, of, 'SELECT')
  const type = index === undefined ? 'bigint' : (columns[index]?.type ?? 'text')
  return {
    column: { name, type: aggregateType(fold, type) },
    isAggregate: true,
    value: (_, rows) =>
      index === undefined
        ? rows.length
        : aggregates[fold](rows.map((row) => row[index] ?? null).filter(isPresent)),
  }
}

function aggregateType(fold: AggregateFunction, type: ColumnType): ColumnType {
  if (fold === 'count') return 'bigint'
  if (fold !== 'sum') return type
  return type === 'double' ? 'double' : 'decimal'
}

type Present = Exclude<Value, null>

const aggregates: Readonly<Record<AggregateFunction, (values: readonly Present[]) => Value>> = {
  count: (values) => values.length,
  sum: (values) => (values.length === 0 ? null : values.reduce<Value>((sum, value) => add(sum, value), 0)),
  min: (values) => extreme(values, -1),
  max: (values) => extreme(values, 1),
}

function isPresent(value: Value): value is Present {
  return value !== null
}

function extreme(values: readonly Present[], sign: 1 | -1): Value {
  return values.toSorted((a, b) => sign * (compare(b, a) ?? 0))[0] ?? null
}

function answerOf(outputs: readonly Output[], rows: readonly Row[]): RowsAnswer {
  const of = (row: Row): Row => outputs.map(({ value }) => value(row, rows))
  const isAggregate = outputs.some((output) => output.isAggregate)
  const shown = isAggregate ? [of(rows[0] ?? [])] : rows.map(of)
  return { kind: 'rows', columns: outputs.map(({ column }) => column), rows: shown }
}
