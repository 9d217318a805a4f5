import type { Statement } from '../sql/statement.ts'
import type { Answer } from '../wire/answer.ts'
import { changeRows } from './change-rows.ts'
import { define } from './define.ts'
import { gateOf } from './gate.ts'
import { kill } from './kill.ts'
import { listReplica, listValues } from './list-values.ts'
import { readRows } from './read-rows.ts'
import { refusals } from './refusals.ts'
import type { Run } from './run.ts'
import { done } from './run.ts'
import { setVariables } from './set-variables.ts'
import { transact } from './transact.ts'

/** Runs a statement; rejects with a refusal. */
export async function runStatement(run: Run, statement: Statement): Promise<Answer> {
  const refusal = gateOf(run.session, statement)
  if (refusal !== undefined) throw refusal
  hearOfDefeat(run, statement)
  return dispatch(run, statement)
}

// Who lost against another node hears of it at its next statement. A ROLLBACK is what it would be told to say.
function hearOfDefeat({ session }: Run, statement: Statement): void {
  if (session.transaction?.isDoomed !== true) return
  session.rollback()
  if (statement.kind !== 'rollback') throw refusals.deadlock()
}

async function dispatch(run: Run, statement: Statement): Promise<Answer> {
  switch (statement.kind) {
    case 'select':
    case 'do':
      return readRows(run, statement)
    case 'insert':
    case 'update':
    case 'delete':
      return changeRows(run, statement)
    case 'create-table':
    case 'drop-table':
    case 'truncate':
    case 'create-schema':
      return define(run, statement)
    case 'begin':
    case 'commit':
    case 'rollback':
    case 'savepoint':
    case 'rollback-to':
    case 'release':
      return transact(run, statement)
    case 'set':
      return setVariables(run, statement.assignments)
    case 'set-access':
      run.session.nextAccess = statement.access
      return done(run)
    case 'use':
      return use(run, statement.schema)
    case 'show':
      return listValues(run, statement)
    case 'show-warnings':
      return { kind: 'rows', columns: warningColumns, rows: [] }
    case 'show-replica':
      return listReplica(run)
    case 'kill':
      return kill(run, statement)
  }
}

const warningColumns = [
  { name: 'Level', type: 'text' },
  { name: 'Code', type: 'int' },
  { name: 'Message', type: 'text' },
] as const

function use(run: Run, schema: string): Answer {
  const { session } = run
  if (!session.server.store.hasSchema(schema)) throw refusals.unknownSchema(schema)
  session.schema = schema
  session.track({ kind: 'schema', name: schema })
  return done(run)
}
