import { parsePairs, parseRows } from '../mariadb/commands.ts'
import type { MemberView } from '../model/membership.ts'

/** Asks a node for its state, then for the members of its view, one row of four columns for each. */
export const viewQuery: string = [
  "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_cluster_size'," +
    " 'wsrep_local_state_comment', 'wsrep_cluster_state_uuid')",
  "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'wsrep_reject_queries')",
  'SHOW WSREP_MEMBERSHIP',
].join('; ')

/** Reads the answer to {@link viewQuery}. A node answers all three statements in every state. */
export function readView(output: string): MemberView {
  const values = parsePairs(output)
  const because = disagreementIn(values)
  if (because !== undefined) return { kind: 'starting', because }
  const members = parseRows(output)
    .filter((columns) => columns.length === 4)
    .map((columns) => columns[2] ?? '')
    .sort()
  if (String(members.length) !== values.get('wsrep_cluster_size')) {
    return { kind: 'starting', because: 'its view of the group is changing' }
  }
  const history = values.get('wsrep_cluster_state_uuid') ?? ''
  return { kind: 'answered', members, running: members, apart: [], history }
}

function disagreementIn(values: ReadonlyMap<string, string>): string | undefined {
  const state = values.get('wsrep_local_state_comment') ?? 'without a state'
  if (values.get('wsrep_cluster_status') !== 'Primary')
    return `it has no majority: it is non-Primary, ${state}`
  if (state !== 'Synced') return `it is not Synced but ${state}`
  if (values.get('wsrep_ready') !== 'ON') return 'it is not ready for queries'
  if (values.get('wsrep_reject_queries') !== 'NONE') return 'it rejects queries'
  return values.get('read_only') === 'OFF' ? undefined : 'it is read-only'
}
