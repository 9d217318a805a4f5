import { serverError } from '../engine/errors.ts'
import type { Values } from '../engine/membership.ts'
import type { Execution, Session } from '../engine/session.ts'
import { type Access, commit } from '../engine/transaction.ts'
import { isLike } from '../engine/values.ts'
import { type Column, type OkAnswer, okAnswer, type RowsAnswer } from '../wire/answers.ts'
import type { Row, Value } from '../wire/values.ts'
import type { Clauses, TableName, VariableAssignment } from './clauses.ts'
import type { Operand } from './operands.ts'
import { filterOf, tableOf } from './table-access.ts'

// The answer to a statement that returns no rows, with the changes of the session's state.
function done(session: Session, result: Partial<OkAnswer> = {}): OkAnswer {
  return { ...okAnswer, ...result, tracked: session.takeTracked() }
}

/** `CREATE TABLE`. Like every definition it commits the open transaction first, as the server does. */
export async function createTable({ session }: Execution, clauses: Clauses): Promise<OkAnswer> {
  await commit(session)
  const [{ store }, { name }] = [session.server, clauses.table]
  const schema = schemaOf(session, clauses.table)
  const exists = store.table(schema, name) !== undefined
  if (exists && !clauses.has('IF NOT EXISTS')) throw serverError('tableExists', name)
  if (!exists) store.create(schema, name, clauses.definition)
  return done(session, { warnings: exists ? 1 : 0 })
}

/** `DROP TABLE`. */
export async function dropTable({ session }: Execution, clauses: Clauses): Promise<OkAnswer> {
  await commit(session)
  const [{ store }, { name }] = [session.server, clauses.table]
  const schema = schemaOf(session, clauses.table)
  const exists = store.table(schema, name) !== undefined
  if (!exists && !clauses.has('IF EXISTS')) throw serverError('unknownTable', `${schema}.${name}`)
  store.drop(schema, name)
  return done(session, { warnings: exists ? 0 : 1 })
}

/** `TRUNCATE TABLE`. */
export async function truncateTable({ session }: Execution, clauses: Clauses): Promise<OkAnswer> {
  await commit(session)
  const table = tableOf(session, clauses.table)
  const transaction = session.begin('read-write')
  for (const key of table.keys()) transaction.put(table, key, undefined)
  await commit(session)
  return done(session)
}

function schemaOf(session: Session, { schema = session.schema }: TableName): string {
  if (schema === undefined) throw serverError('noSchemaSelected')
  if (!session.server.store.hasSchema(schema)) throw serverError('unknownSchema', schema)
  return schema
}

/** `USE`. */
export function useSchema(session: Session, schema: string): OkAnswer {
  if (!session.server.store.hasSchema(schema)) throw serverError('unknownSchema', schema)
  session.schema = schema
  session.track({ kind: 'schema', name: schema })
  return done(session)
}

/** `BEGIN` and `START TRANSACTION`. A transaction that is open is committed first. */
export async function begin({ session }: Execution, access: Access | undefined): Promise<OkAnswer> {
  await commit(session)
  session.begin(access)
  return done(session)
}

/** `COMMIT` and `ROLLBACK`. */
export async function end({ session }: Execution, how: 'commit' | 'rollback'): Promise<OkAnswer> {
  if (how === 'commit') await commit(session)
  else session.rollback()
  return done(session)
}

/** `SAVEPOINT`. Outside a transaction a savepoint ends with its statement. */
export function setSavepoint({ session }: Execution, name: string): OkAnswer {
  const transaction = session.transaction ?? (session.isAutocommit ? undefined : session.begin(undefined))
  transaction?.setSavepoint(name)
  return done(session)
}

/** `ROLLBACK TO` and `RELEASE SAVEPOINT`. */
export function endSavepoint({ session }: Execution, act: 'rollbackTo' | 'release', name: string): OkAnswer {
  if (session.transaction?.[act](name) !== true) throw serverError('unknownSavepoint', name)
  return done(session)
}

/** `SET`: sets variables of the session, of the server or of the user. */
export async function setVariables(
  execution: Execution,
  settings: readonly VariableAssignment[],
): Promise<OkAnswer> {
  for (const setting of settings) await setVariable(execution, setting)
  return done(execution.session)
}

/** The values of `SET STATEMENT … FOR`, which hold for one statement. */
export function statementVariables(
  execution: Execution,
  settings: readonly VariableAssignment[],
): ReadonlyMap<string, Value> {
  return new Map(
    settings.map(({ name, operand }) => [name, settingValue(execution, name, operand) ?? null] as const),
  )
}

async function setVariable(
  execution: Execution,
  { scope, name, operand }: VariableAssignment,
): Promise<void> {
  const { session } = execution
  if (scope === 'user') {
    session.userVariables.set(name, operand?.value(execution) ?? null)
    return
  }
  const value = settingValue(execution, name, operand)
  if (scope === 'global') session.server.setVariable(name, value ?? null)
  else session.setVariable(name, value)
  // Switching it on commits the open transaction.
  if (name === 'autocommit' && value === 'ON') await commit(session)
}

function settingValue(execution: Execution, name: string, operand: Operand | undefined): Value | undefined {
  const usual = execution.session.server.variable(name)
  if (usual === undefined) throw serverError('unknownVariable', name)
  const value = operand?.value(execution)
  if (typeof value === 'string' && /^(on|off)$/i.test(value)) return value.toUpperCase()
  // A variable that is ON or OFF may be set as 1 or 0.
  const isSwitch = usual === 'ON' || usual === 'OFF'
  if (isSwitch && String(value) === '1') return 'ON'
  return isSwitch && String(value) === '0' ? 'OFF' : value
}

/** `KILL`: ends the statement or the connection of a session. */
export function kill(execution: Execution, what: 'query' | 'connection', id: Operand | undefined): OkAnswer {
  const wanted = Number(id?.value(execution))
  const target = [...execution.session.server.sessions].find((session) => session.id === wanted)
  if (target === undefined) throw serverError('unknownThread', wanted)
  if (what === 'query') target.interrupt(serverError('interrupted'))
  else target.kill()
  return done(execution.session)
}

/** `SHOW STATUS` and `SHOW VARIABLES`. */
export function showValues(
  execution: Execution,
  what: 'status' | 'globals' | 'variables',
  { value: like, conditions }: Clauses,
): RowsAnswer {
  const { session } = execution
  const values = {
    status: () => session.server.statusValues,
    globals: () => session.server.variables,
    variables: () => variablesOf(session),
  }[what]()
  const columns: readonly Column[] = [
    { name: 'Variable_name', type: 'text' },
    { name: 'Value', type: 'text' },
  ]
  const pattern = like?.value(execution)
  const fits = filterOf(execution, columns, conditions)
  const rows = Object.entries(values)
    .map(
      ([name, value]): Row => [
        what === 'status' ? statusName(name) : name,
        value === null ? null : String(value),
      ],
    )
    .filter((row) => fits(row) && (pattern === undefined || isLike(String(row[0]), String(pattern))))
  return { kind: 'rows', columns, rows }
}

function variablesOf(session: Session): Values {
  const names = Object.keys(session.server.variables)
  return Object.fromEntries(names.map((name) => [name, session.variable(name) ?? null]))
}

// The server's own status begins with a capital, the provider's does not.
function statusName(name: string): string {
  return name.startsWith('wsrep_') ? name : name.charAt(0).toUpperCase() + name.slice(1)
}

/** `SHOW REPLICA STATUS`: one row on a node that follows another one. */
export function showReplica({ session }: Execution): RowsAnswer {
  const values = session.server.membership.replica()
  if (values === undefined)
    return { kind: 'rows', columns: [{ name: 'Slave_IO_State', type: 'text' }], rows: [] }
  const columns = Object.entries(values).map(
    ([name, value]): Column => ({ name, type: typeof value === 'string' ? 'text' : 'bigint' }),
  )
  return { kind: 'rows', columns, rows: [Object.values(values)] }
}
