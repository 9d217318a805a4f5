import type { Statement } from '../sql/statement.ts'
import type { OkAnswer } from '../wire/answer.ts'
import { refusals } from './refusals.ts'
import { done, type Run } from './run.ts'
import type { Session } from './session.ts'
import { tableOf } from './source.ts'
import type { Table } from './table.ts'
import { commit } from './work.ts'

type Definition = Extract<
  Statement,
  { readonly kind: 'create-table' | 'drop-table' | 'truncate' | 'create-schema' }
>

/** Makes and removes tables. The transaction that is open is committed first, as the server does. */
export async function define(run: Run, statement: Definition): Promise<OkAnswer> {
  const { session } = run
  await commit(session)
  if (statement.kind === 'create-schema') session.server.store.addSchema(statement.name)
  else if (statement.kind === 'truncate') await truncate(session, tableOf(session, statement.table))
  else return done(run, { warnings: defineTable(session, statement) ? 0 : 1 })
  return done(run)
}

async function truncate(session: Session, table: Table): Promise<void> {
  const transaction = session.begin('read-write')
  for (const key of table.keys()) transaction.put(table, key, undefined)
  await commit(session)
}

type TableDefinition = Extract<Definition, { readonly kind: 'create-table' | 'drop-table' }>

// Whether there was something to do: when there was not, and that is allowed, the server warns.
function defineTable(session: Session, statement: TableDefinition): boolean {
  const { store } = session.server
  const schema = statement.table.schema ?? session.schema
  if (schema === undefined) throw refusals.noSchemaInUse()
  if (!store.hasSchema(schema)) throw refusals.unknownSchema(schema)
  const { name } = statement.table
  const isThere = store.table(schema, name) !== undefined
  const isToDo = isThere === (statement.kind === 'drop-table')
  if (!isToDo && statement.isLenient) return false
  if (statement.kind === 'create-table') {
    if (isThere) throw refusals.tableExists(name)
    store.create(schema, statement)
  } else {
    if (!isThere) throw refusals.unknownTable(`${schema}.${name}`)
    store.drop(schema, name)
  }
  return true
}
