import type { Delete, Insert, Update } from '../sql/statement.ts'
import type { OkAnswer } from '../wire/answer.ts'
import { rewrite } from './change-row.ts'
import { insertRows } from './insert-rows.ts'
import { refusals } from './refusals.ts'
import { done, type Run } from './run.ts'
import { tableOf } from './source.ts'
import { scopeOf } from './statement-scope.ts'
import { type Aim, inTransaction, lockRows } from './work.ts'

/** Inserts, updates or deletes rows. */
export async function changeRows(run: Run, statement: Insert | Update | Delete): Promise<OkAnswer> {
  const table = tableOf(run.session, statement.table)
  const result = await inTransaction(run, async (transaction): Promise<Partial<OkAnswer>> => {
    if (transaction.access === 'read-only') throw refusals.readOnlyTransaction()
    const aim: Aim = { table, transaction, mode: 'update' }
    switch (statement.kind) {
      case 'insert':
        return insertRows(run, aim, statement)
      case 'update':
        return { affectedRows: await update(run, aim, statement) }
      case 'delete':
        return { affectedRows: await remove(run, aim, statement) }
    }
  })
  return done(run, result)
}

async function remove(run: Run, aim: Aim, { where }: Delete): Promise<number> {
  const rows = await lockRows(run, aim, where)
  for (const [key] of rows) aim.transaction.put(aim.table, key, undefined)
  return rows.length
}

async function update(run: Run, aim: Aim, { values, where }: Update): Promise<number> {
  const rows = await lockRows(run, aim, where)
  let changed = 0
  for (const [key, row] of rows) {
    if (await rewrite(run, aim, { key, row, values, outside: scopeOf(run) })) changed += 1
  }
  return run.session.countsFound ? rows.length : changed
}
