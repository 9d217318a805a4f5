import { formatEndpoint, HaError } from '@ha/core'
import type { SessionOptions, VariableValue } from '../options/resolved-options.ts'
import { isolationInSql } from '../options/session-options.ts'
import type { MariadbConnection } from './connection.ts'
import { type DateZone, dateZone, isUtc, utc, writeDate } from './dates.ts'
import type { PipelinedStatement, Row } from './statement.ts'

/** Initializes a new session, in one round trip. */
export async function initializeSession(
  connection: MariadbConnection,
  profile: SessionProfile,
): Promise<void> {
  await connection.initialize(sessionStatements(profile))
}

/**
 * Restores the initial state of a session, in one round trip: resets it when a statement may have left state behind,
 * else ends the open transaction. Rejects when the session cannot be used again.
 */
export function resetSession(connection: MariadbConnection, profile: SessionProfile): Promise<void> {
  return connection.dirty ? resetAndInitialize(connection, profile) : rollBack(connection)
}

async function resetAndInitialize(connection: MariadbConnection, profile: SessionProfile): Promise<void> {
  // After a reset, the server shows wsrep_sync_wait as it is set and does not obey it: the connection is replaced.
  if (needsNewConnection(profile)) throw resetFailed(connection)
  // COM_RESET_CONNECTION keeps the current schema.
  const schema = selectSchema(profile)
  const reset = connection.reset()
  const asked = connection.run(textCommand(`SELECT ${resetMarker} AS mark`))
  const made = connection.initialize([
    ...(schema === undefined ? [] : [textCommand(schema)]),
    ...sessionStatements(profile),
  ])
  const [answer] = await Promise.all([asked, reset, made])
  if (answer.kind !== 'rows' || answer.rows[0]?.['mark'] !== null) throw resetFailed(connection)
  if (schema === undefined) await rejectSelectedSchema(connection)
}

function needsNewConnection({ variables, initSql }: SessionProfile): boolean {
  const names = Object.keys(variables)
  return names.some((name) => syncWait.test(name)) || initSql.some((sql) => syncWait.test(sql))
}

const syncWait = /\bwsrep_(?:sync_wait|causal_reads)\b/i

// A user variable that exists until the session is reset: the driver does not report a refused reset.
const resetMarker = '@ha_session'

function sessionStatements(profile: SessionProfile): readonly PipelinedStatement[] {
  return [...profileStatements(profile), `SET ${resetMarker}=1`].map(textCommand)
}

/**
 * The zone of a session that keeps the server's. Where the server names only its machine's (`SYSTEM`), that is UTC, or
 * the zone of this process when both have the same offset now, else the offset of now.
 */
export async function readServerZone(connection: MariadbConnection): Promise<DateZone> {
  const { zone, machine } = await firstRow(
    connection,
    'SELECT @@time_zone AS zone, @@system_time_zone AS machine',
  )
  if (zone !== 'SYSTEM') return dateZone(String(zone)) ?? (await currentOffset(connection))
  if (isUtc(String(machine))) return utc
  const offset = await currentOffset(connection)
  const own = dateZone(new Intl.DateTimeFormat().resolvedOptions().timeZone)
  const { now } = await firstRow(connection, 'SELECT UNIX_TIMESTAMP() AS now')
  const at = new Date(Number(now) * 1_000)
  return own !== undefined && writeDate(at, own) === writeDate(at, offset) ? own : offset
}

async function currentOffset(connection: MariadbConnection): Promise<DateZone> {
  const sql = 'SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()) AS ahead'
  // Read in two steps by the server, so that a second may pass between them.
  const minutes = Math.round(Number((await firstRow(connection, sql))['ahead']) / 60)
  return { kind: 'fixed', aheadMs: minutes * 60_000 }
}

async function firstRow(connection: MariadbConnection, sql: string): Promise<Row> {
  const answer = await connection.run(textCommand(sql))
  return (answer.kind === 'rows' ? answer.rows[0] : undefined) ?? {}
}

function resetFailed({ endpoint }: MariadbConnection): HaError {
  return new HaError('rejected', `${formatEndpoint(endpoint)}: the session could not be reset`)
}

// A session cannot return to having no schema.
async function rejectSelectedSchema(connection: MariadbConnection): Promise<void> {
  const answer = await connection.run(textCommand('SELECT DATABASE() AS name'))
  if (answer.kind === 'rows' && answer.rows[0]?.['name'] === null) return
  throw new HaError(
    'rejected',
    `${formatEndpoint(connection.endpoint)}: a schema was selected, and the session cannot return to having none`,
  )
}

async function rollBack(connection: MariadbConnection): Promise<void> {
  await connection.run(textCommand('ROLLBACK'))
}

function textCommand(sql: string): PipelinedStatement {
  return { sql, kind: 'text' }
}

/** The initial state of a session. */
export interface SessionProfile extends SessionOptions {
  readonly database: string | undefined
}

/** The statements that initialize a new or reset session, in order. The login selects the schema. */
export function profileStatements({
  isolation,
  timeZone,
  variables,
  initSql,
}: SessionProfile): readonly string[] {
  const assignments = timeZone === 'server' ? [] : [`time_zone=${literal(timeZone)}`]
  for (const [name, value] of Object.entries(variables))
    assignments.push(`\`${name.replaceAll('`', '``')}\`=${literal(value)}`)
  const own = assignments.length === 0 ? [] : [`SET SESSION ${assignments.join(',')}`]
  const level =
    isolation === undefined ? [] : [`SET SESSION TRANSACTION ISOLATION LEVEL ${isolationInSql(isolation)}`]
  // Last, after the statements of the user: without autocommit, acknowledged writes would be lost.
  return [...own, ...level, ...initSql, 'SET SESSION autocommit=1']
}

/** The statement that selects the schema of the login; undefined when there was none. */
export function selectSchema({ database }: SessionProfile): string | undefined {
  return database === undefined ? undefined : `USE \`${database.replaceAll('`', '``')}\``
}

function literal(value: VariableValue): string {
  if (value === null) return 'NULL'
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
  return String(Number(value))
}
