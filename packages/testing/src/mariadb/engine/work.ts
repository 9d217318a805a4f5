import type { Expression } from '../sql/expression.ts'
import type { Row } from '../wire/value.ts'
import { isTrue, numberOf } from './compare.ts'
import { evaluate, type Scope } from './evaluate.ts'
import type { LockMode } from './locks.ts'
import { Refusal } from './refusal.ts'
import { refusals } from './refusals.ts'
import type { Run } from './run.ts'
import type { Session } from './session.ts'
import { rowsOf, type Source } from './source.ts'
import { rowScope, scopeOf } from './statement-scope.ts'
import type { Table } from './table.ts'
import type { Transaction } from './transaction.ts'
import { uncommittedRows } from './uncommitted.ts'

/**
 * Does the work of a statement in the transaction of its session, or in one of its own that ends with it. What a
 * statement that fails has changed is undone; a deadlock takes the whole transaction along.
 */
export async function inTransaction<T>(run: Run, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  const { session } = run
  const isOwn = session.transaction === undefined && session.isAutocommit
  const transaction = session.transaction ?? session.begin(undefined)
  try {
    const result = await transaction.attempt(() => work(transaction))
    if (isOwn) await commit(session)
    return result
  } catch (error) {
    if (isOwn || (error instanceof Refusal && error.errno === deadlockErrno)) session.rollback()
    throw error
  }
}

const deadlockErrno = 1213

/** Commits the transaction of a session, when it has one; when it cannot, it is rolled back. */
export async function commit(session: Session): Promise<void> {
  const { transaction, server } = session
  if (transaction === undefined) return
  try {
    if (transaction.changes.size > 0) {
      if (server.variable('read_only') === 'ON') throw refusals.readOnlyServer()
      const seqno = await server.membership.commit(transaction.changes, { server, transaction })
      session.lastWritten = seqno
      server.applier.receive(seqno)
    }
  } finally {
    session.rollback()
  }
}

/** The moment that a plain read sees: the same for all of a transaction, unless it is READ COMMITTED. */
export function snapshotOf(session: Session, transaction: Transaction): number {
  const { applied } = session.server.applier
  if (String(session.variable('tx_isolation')).startsWith('READ-')) return applied
  transaction.snapshot ??= applied
  return transaction.snapshot
}

/** Rows that a statement is about to change, or to keep from changing. */
export interface Aim {
  readonly table: Table
  readonly transaction: Transaction
  readonly mode: LockMode
}

/**
 * Takes the locks of the rows that fit, and returns these as they are then: the latest, whatever was read before. A row
 * that somebody else has inserted and not committed is waited for as well.
 */
export async function lockRows(
  run: Run,
  aim: Aim,
  where: Expression | undefined,
): Promise<readonly (readonly [string, Row])[]> {
  const fitting = rowsThatFit(run, latest(run, aim, where), where)
  const open = rowsThatFit(run, uncommittedRows(run, aim.table, where), where)
  const keys = new Set([...fitting, ...open].map(([key]) => key))
  for (const key of keys) await lock(run, aim, key)
  return keys.size === 0 ? [] : rowsThatFit(run, latest(run, aim, where), where)
}

/** Takes the lock of one row. */
export function lock(
  { session, signal }: Run,
  { table, transaction, mode }: Aim,
  key: string,
): Promise<void> {
  const timeoutMs = Number(numberOf(session.variable('innodb_lock_wait_timeout') ?? 0)) * 1_000
  return session.server.locks.acquire(table, key, transaction, { mode, timeoutMs, signal })
}

function latest(run: Run, aim: Aim, where: Expression | undefined): Source {
  return rowsOf(run, { ...aim, seqno: run.session.server.applier.applied }, where)
}

function rowsThatFit(
  run: Run,
  source: Source,
  where: Expression | undefined,
): readonly (readonly [string, Row])[] {
  const outside: Scope = { ...scopeOf(run), place: 'WHERE' }
  return [...source.rows].filter(
    ([, row]) => where === undefined || isTrue(evaluate(where, rowScope(outside, source.columns, row))),
  )
}
