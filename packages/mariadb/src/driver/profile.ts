import { isolationInSql } from '../options/isolation.ts'
import type { SessionOptions, VariableValue } from '../options/resolved.ts'

/** What a session is made of. */
export interface Profile extends SessionOptions {
  readonly database: string | undefined
}

/** The statements that make a fresh or reset session as every borrower expects it, in order. The schema is chosen at login. */
export function profileStatements({ isolation, timeZone, variables, initSql }: Profile): readonly string[] {
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
export function backToSchema({ database }: Profile): string | undefined {
  return database === undefined ? undefined : `USE \`${database.replaceAll('`', '``')}\``
}

function literal(value: VariableValue): string {
  if (value === null) return 'NULL'
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
  return String(Number(value))
}
