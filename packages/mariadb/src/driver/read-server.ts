import type { MariadbConnection } from './connection.ts'
import type { Reading, ReplicaReading } from './reading.ts'
import { galeraNames, readingOf, replicaReading, valuesOf, variableNames } from './server-values.ts'
import type { Pipelined, Reply, Row } from './statement.ts'

/**
 * Reads what a server says of itself, in one round trip. Nothing here waits for the cluster, so that a survivor that
 * waits for the group's new view still answers within milliseconds.
 */
export async function readServer(connection: MariadbConnection): Promise<Reading> {
  const [, variables, status, sources] = await connection.pipeline(questions)
  return readingOf(valuesOf(rowsOf(variables)), valuesOf(rowsOf(status)), replicaOf(sources))
}

const questions: readonly Pipelined[] = [
  // A server may set it for everybody. A session that has it waits for the group with each of the other questions:
  // 6.3 s after another node froze, and until 1205 when the quorum is lost. A build without Galera does not know it.
  'SET SESSION wsrep_sync_wait=0',
  // Unlike `SELECT @@x`, these leave out what a server does not know.
  `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${quoted(variableNames)})`,
  `SHOW GLOBAL STATUS WHERE Variable_name IN (${quoted(galeraNames)})`,
  'SHOW ALL SLAVES STATUS',
].map((sql) => ({ sql, kind: 'text' }))

// ER_SPECIFIC_ACCESS_DENIED_ERROR: our user has not the privilege REPLICA MONITOR, which 10.5 asks for.
const notAllowed = 1227

function replicaOf(reply: Reply | undefined): ReplicaReading | undefined {
  const denied = reply?.kind === 'failed' && reply.error.errno === notAllowed
  return denied ? { kind: 'not-allowed' } : replicaReading(rowsOf(reply))
}

function rowsOf(reply: Reply | undefined): readonly Row[] {
  if (reply?.kind === 'failed') throw reply.error
  return reply?.kind === 'rows' ? reply.rows : []
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(',')
}
