import type { Expression } from '../sql/expression.ts'
import type { Select, SelectItem } from '../sql/statement.ts'
import type { Answer } from '../wire/answer.ts'
import type { Column } from '../wire/column.ts'
import type { Row } from '../wire/value.ts'
import { aggregate, isAggregate } from './aggregate.ts'
import { awaitFunctions } from './awaited-functions.ts'
import { typeOf } from './column-types.ts'
import { compare, isTrue } from './compare.ts'
import { evaluate, type Scope } from './evaluate.ts'
import { refusals } from './refusals.ts'
import { done, type Run } from './run.ts'
import type { Session } from './session.ts'
import { rowsOf, type Source, schemaTable, tableOf } from './source.ts'
import { rowScope, scopeOf } from './statement-scope.ts'
import { uncommittedRows } from './uncommitted.ts'
import { inTransaction, lockRows, snapshotOf } from './work.ts'

/** Answers `SELECT`, or `DO`, which answers nothing. */
export async function readRows(run: Run, select: Select): Promise<Answer> {
  await syncWait(run)
  const constants = select.items.flatMap((item) => (item.kind === 'one' ? [item.value] : []))
  const outside = scopeOf(run, await awaitFunctions(run, constants))
  const result =
    select.from === undefined ? project(select, undefined, outside) : await read(run, select, outside)
  return select.kind === 'do' ? done(run) : result
}

async function read(run: Run, select: Select, outside: Scope): Promise<Answer> {
  if (select.from === undefined) return project(select, undefined, outside)
  const listed = schemaTable(run.session, select.from)
  if (listed !== undefined) return project(select, listed, outside)
  const table = tableOf(run.session, select.from)
  return inTransaction(run, async (transaction) => {
    const { lock, where } = select
    if (lock !== undefined) await lockRows(run, { table, transaction, mode: lock }, where)
    else if (readsUncommitted(run.session))
      return project(select, uncommittedRows(run, table, where), outside)
    const seqno =
      lock === undefined ? snapshotOf(run.session, transaction) : run.session.server.applier.applied
    return project(select, rowsOf(run, { table, transaction, seqno }, where), outside)
  })
}

function readsUncommitted(session: Session): boolean {
  return session.variable('tx_isolation') === 'READ-UNCOMMITTED'
}

// Reads wait for the whole cluster when the session wants it so; 30 s is Galera's own limit.
async function syncWait({ session, signal }: Run): Promise<void> {
  const { applier, store } = session.server
  if (!session.waitsForCluster || Number(session.variable('wsrep_sync_wait')) === 0) return
  if (!(await applier.hasReached(store.seqno, { timeoutMs: 30_000, signal }))) throw refusals.lockWait()
}

function project(select: Select, source: Source | undefined, outside: Scope): Answer {
  const outputs = outputsOf(select.items, source)
  const chosen = ordered(select, chosenRows(select, source, outside), outside)
  const columns = outputs.map((output): Column => columnOf(output, source, outside))
  return { kind: 'rows', columns, rows: rowsFrom(outputs, chosen, outside) }
}

interface Output {
  readonly name: string
  readonly value: Expression
}

function outputsOf(items: readonly SelectItem[], source: Source | undefined): readonly Output[] {
  return items.flatMap((item): readonly Output[] => {
    if (item.kind === 'one') return [{ name: item.name, value: item.value }]
    return (source?.columns ?? []).map(({ name }) => ({ name, value: { kind: 'column', name } }))
  })
}

function chosenRows({ where }: Select, source: Source | undefined, outside: Scope): readonly Scope[] {
  if (source === undefined) return [outside]
  const scopes: Scope[] = []
  for (const [, row] of source.rows) {
    const scope = rowScope(outside, source.columns, row)
    if (where === undefined || isTrue(evaluate(where, { ...scope, place: 'WHERE' }))) scopes.push(scope)
  }
  return scopes
}

function ordered({ orderBy, limit }: Select, rows: readonly Scope[], outside: Scope): readonly Scope[] {
  const sorted = orderBy.length === 0 ? rows : sortedBy(orderBy, rows)
  return limit === undefined ? sorted : sorted.slice(0, Number(evaluate(limit, outside)))
}

function sortedBy(orderBy: Select['orderBy'], rows: readonly Scope[]): readonly Scope[] {
  const keyed = rows.map((row) => ({
    row,
    keys: orderBy.map(({ by }) => evaluate(by, { ...row, place: 'ORDER BY' })),
  }))
  return keyed.sort((a, b) => inOrder(orderBy, a.keys, b.keys)).map(({ row }) => row)
}

function inOrder(orderBy: Select['orderBy'], a: Row, b: Row): number {
  for (const [i, { isDescending }] of orderBy.entries()) {
    const order = compare(a[i] ?? null, b[i] ?? null) ?? 0
    if (order !== 0) return isDescending ? -order : order
  }
  return 0
}

function columnOf({ name, value }: Output, source: Source | undefined, outside: Scope): Column {
  const type = typeOf(value, { source, valueOf: (expression) => evaluate(expression, outside) })
  return value.kind === 'column' && source !== undefined ? { name, type, table: source.name } : { name, type }
}

function rowsFrom(outputs: readonly Output[], rows: readonly Scope[], outside: Scope): readonly Row[] {
  const values = outputs.map(({ value }) => value)
  if (values.some(isAggregate)) return [values.map((value) => aggregate(value, rows, outside))]
  return rows.map((row) => values.map((value) => evaluate(value, row)))
}
