import { ServerError, serverError } from '../engine/errors.ts'
import type { Session } from '../engine/session.ts'
import type { Answer } from '../wire/answers.ts'
import type { Row } from '../wire/values.ts'
import { type MatchedStatement, matchStatement } from './shapes.ts'
import { statementVariables } from './statements.ts'
import { templateOf } from './template.ts'

/** Runs a statement and answers it. An error is an answer too: the promise never rejects with a {@link ServerError}. */
export async function execute(session: Session, sql: string, parameters: Row): Promise<Answer> {
  try {
    const statement = matchStatement(templateOf(sql))
    if (statement === undefined) throw serverError('noShape', ruleFor(sql))
    const { settings, run } = statement
    return await session.run(
      parameters,
      (execution) => statementVariables(execution, settings),
      async (execution) => {
        admit(session, statement)
        return run(execution)
      },
    )
  } catch (error) {
    if (error instanceof ServerError) return error.answer
    throw error
  }
}

/** Whether the fake server runs this statement by itself. */
export function isSupported(sql: string): boolean {
  return matchStatement(templateOf(sql)) !== undefined
}

/** How many parameters a prepared statement has. */
export function parameterCount(sql: string): number {
  return templateOf(sql).parameters
}

function ruleFor(sql: string): string {
  return `cluster.script({ when: { sql: ${JSON.stringify(sql)} }, do: 'answer', with: { rows: [{ n: 1 }] } })`
}

// Fails when the state of the node, or of the transaction, does not allow the statement.
function admit(session: Session, { kind, isRollback }: MatchedStatement): void {
  const isDirtyRead = kind === 'read' && session.variable('wsrep_dirty_reads') === 'ON'
  // Without a quorum a node still answers what concerns no table. A COMMIT that fails so leaves its transaction open:
  // measured on 10.11.
  if (kind !== 'session' && !isDirtyRead && isDetached(session)) throw serverError('notReady')
  if (kind === 'write' && session.server.variable('read_only') === 'ON') throw serverError('readOnlyServer')
  // A client learns at its next statement that its transaction lost against another node.
  if (session.transaction?.isAborted !== true) return
  session.rollback()
  if (!isRollback) throw serverError('deadlock')
}

function isDetached({ server }: Session): boolean {
  if (server.variable('wsrep_on') !== 'ON') return false
  return server.status('wsrep_ready') !== 'ON' || server.variable('wsrep_reject_queries') !== 'NONE'
}
