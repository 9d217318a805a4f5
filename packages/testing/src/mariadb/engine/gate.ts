import type { Statement, TableName } from '../sql/statement.ts'
import type { Refusal } from './refusal.ts'
import { refusals } from './refusals.ts'
import type { Session } from './session.ts'

/** The refusal that a statement meets because of how its server stands; undefined lets it run. */
export function gateOf(session: Session, statement: Statement): Refusal | undefined {
  const { server } = session
  const isDirtyRead = statement.kind === 'select' && session.variable('wsrep_dirty_reads') === 'ON'
  const isGated = touchesTables(statement) || transactions.includes(statement.kind)
  if (isGated && !isDirtyRead && isDetached(session)) return refusals.notReady()
  if (changesTables(statement) && server.variable('read_only') === 'ON') return refusals.readOnlyServer()
  return undefined
}

// Without quorum a node still answers what concerns no table: a ping, SHOW, SET, SELECT 1.
function isDetached({ server }: Session): boolean {
  if (server.variable('wsrep_on') !== 'ON') return false
  return server.status('wsrep_ready') !== 'ON' || server.variable('wsrep_reject_queries') !== 'NONE'
}

function touchesTables(statement: Statement): boolean {
  if (statement.kind === 'select') return statement.from !== undefined && !isListed(statement.from)
  return changesTables(statement)
}

function isListed({ schema }: TableName): boolean {
  return schema?.toLowerCase() === 'information_schema'
}

// A COMMIT that is refused so leaves its transaction open: measured on 10.11.
const transactions: readonly Statement['kind'][] = [
  'begin',
  'commit',
  'rollback',
  'savepoint',
  'rollback-to',
  'release',
]

const changes: readonly Statement['kind'][] = [
  'insert',
  'update',
  'delete',
  'create-table',
  'drop-table',
  'truncate',
  'create-schema',
]

function changesTables({ kind }: Statement): boolean {
  return changes.includes(kind)
}
