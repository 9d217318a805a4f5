import { formatEndpoint, HaError } from '@ha/core'
import type { MariadbConnection } from './connection.ts'
import { backToSchema, type Profile, profileStatements } from './profile.ts'
import type { Pipelined } from './statement.ts'

/** Makes a fresh session as every borrower expects it, in one round trip. */
export async function beginSession(connection: MariadbConnection, profile: Profile): Promise<void> {
  await connection.establish(statementsOf(profile))
}

/**
 * Makes the session as it was at its beginning: one round trip when something ran that may have left something behind
 * or a transaction is open, and undefined when there is nothing to do. Rejects when the session cannot be used again.
 */
export function renewSession(connection: MariadbConnection, profile: Profile): Promise<void> | undefined {
  if (connection.stained) return remake(connection, profile)
  if (connection.inTransaction) return rollBack(connection)
  return undefined
}

async function remake(connection: MariadbConnection, profile: Profile): Promise<void> {
  // A reset keeps the schema that was chosen last.
  const schema = backToSchema(profile)
  const reset = connection.reset()
  const asked = connection.run(text(`SELECT ${mark} AS mark`))
  const made = connection.establish([
    ...(schema === undefined ? [] : [text(schema)]),
    ...statementsOf(profile),
  ])
  const [answer] = await Promise.all([asked, reset, made])
  if (answer.kind !== 'rows' || answer.rows[0]?.['mark'] !== null) throw notReset(connection)
  if (schema === undefined) await refuseSchema(connection)
}

// A variable of ours that each session has until it is reset: the driver does not say when a server refuses to.
const mark = '@ha_session'

function statementsOf(profile: Profile): readonly Pipelined[] {
  return [...profileStatements(profile), `SET ${mark}=1`].map(text)
}

function notReset({ endpoint }: MariadbConnection): HaError {
  return new HaError('rejected', `${formatEndpoint(endpoint)}: the session could not be reset`)
}

// Nothing goes back to having no schema.
async function refuseSchema(connection: MariadbConnection): Promise<void> {
  const answer = await connection.run(text('SELECT DATABASE() AS name'))
  if (answer.kind === 'rows' && answer.rows[0]?.['name'] === null) return
  throw new HaError(
    'rejected',
    `${formatEndpoint(connection.endpoint)}: a schema was chosen, and there was none before`,
  )
}

async function rollBack(connection: MariadbConnection): Promise<void> {
  await connection.run(text('ROLLBACK'))
}

function text(sql: string): Pipelined {
  return { sql, kind: 'text' }
}
