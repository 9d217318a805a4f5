import { formatEndpoint, HaError } from '@ha/core'
import type { SessionOptions, VariableValue } from '../options/resolved-options.ts'
import { isolationInSql } from '../options/session-options.ts'
import { memoizeByText, skipLeadingBlanks } from '../sql/lexer.ts'
import type { MariadbConnection } from './connection.ts'
import type { PipelinedStatement } from './statement.ts'

/** Makes a fresh session as every borrower expects it, in one round trip. */
export async function initializeSession(
  connection: MariadbConnection,
  profile: SessionProfile,
): Promise<void> {
  await connection.initialize(sessionStatements(profile))
}

/**
 * Makes the session as it was at its beginning: one round trip when something ran that may have left something behind
 * or a transaction is open, and undefined when there is nothing to do. Rejects when the session cannot be used again.
 */
export function resetSession(
  connection: MariadbConnection,
  profile: SessionProfile,
): Promise<void> | undefined {
  if (connection.dirty) return resetAndInitialize(connection, profile)
  if (connection.inTransaction) return rollBack(connection)
  return undefined
}

async function resetAndInitialize(connection: MariadbConnection, profile: SessionProfile): Promise<void> {
  // A reset keeps the schema that was chosen last.
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

// A variable of ours that each session has until it is reset: the driver does not say when a server refuses to.
const resetMarker = '@ha_session'

function sessionStatements(profile: SessionProfile): readonly PipelinedStatement[] {
  return [...profileStatements(profile), `SET ${resetMarker}=1`].map(textCommand)
}

function resetFailed({ endpoint }: MariadbConnection): HaError {
  return new HaError('rejected', `${formatEndpoint(endpoint)}: the session could not be reset`)
}

// Nothing goes back to having no schema.
async function rejectSelectedSchema(connection: MariadbConnection): Promise<void> {
  const answer = await connection.run(textCommand('SELECT DATABASE() AS name'))
  if (answer.kind === 'rows' && answer.rows[0]?.['name'] === null) return
  throw new HaError(
    'rejected',
    `${formatEndpoint(connection.endpoint)}: a schema was chosen, and there was none before`,
  )
}

async function rollBack(connection: MariadbConnection): Promise<void> {
  await connection.run(textCommand('ROLLBACK'))
}

function textCommand(sql: string): PipelinedStatement {
  return { sql, kind: 'text' }
}

/** What a session is made of. */
export interface SessionProfile extends SessionOptions {
  readonly database: string | undefined
}

/** The statements that make a fresh or reset session as every borrower expects it, in order. The schema is chosen at login. */
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
  // Behind the statements of others: a session that does not commit by itself loses what it was told is written.
  return [...own, ...level, ...initSql, 'SET SESSION autocommit=1']
}

/** The statement that goes back to the schema of the login; undefined when there was none. */
export function selectSchema({ database }: SessionProfile): string | undefined {
  return database === undefined ? undefined : `USE \`${database.replaceAll('`', '``')}\``
}

function literal(value: VariableValue): string {
  if (value === null) return 'NULL'
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
  return String(Number(value))
}

// What a statement begins with when it may leave something in the session that a rollback does not take away.
const statefulStatement =
  /^(?:SET|USE|LOCK|UNLOCK|PREPARE|EXECUTE|DEALLOCATE|HANDLER|FLUSH|BACKUP|CALL|XA|BEGIN\s+NOT|(?:CREATE(?:\s+OR\s+REPLACE)?|DROP)\s+TEMPORARY)\b/i

// What may leave something wherever it stands: a user variable, a named lock, a comment that is executed.
const statefulExpression = /:=|\bINTO\s+@|\b(?:GET|RELEASE)_(?:ALL_)?LOCKS?\b|\/\*M?!/i

const setStatement = /^SET\s+STATEMENT\b/i

/**
 * Whether a statement may leave something in its session for the next borrower: variables, a schema, locks, temporary
 * tables, prepared statements. Errs on the side of yes. What a stored function does behind a SELECT is not seen.
 */
export const dirtiesSession: (sql: string) => boolean = memoizeByText((sql) => {
  const text = skipLeadingBlanks(sql)
  if (statefulStatement.test(text) && !setStatement.test(text)) return true
  return statefulExpression.test(text)
})
