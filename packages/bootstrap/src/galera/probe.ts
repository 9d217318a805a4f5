import { pairs, rows } from '../mariadb/commands.ts'
import type { MemberView } from '../model/membership.ts'

/** Asks a node for its view: how it stands, then the members of its view, one row of four columns for each. */
export const viewQuery: string = [
  "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_ready', 'wsrep_cluster_status', 'wsrep_cluster_size'," +
    " 'wsrep_local_state_comment', 'wsrep_cluster_state_uuid')",
  "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only', 'wsrep_reject_queries')",
  'SHOW WSREP_MEMBERSHIP',
].join('; ')

/** Reads what a node answered to {@link viewQuery}. All three statements are answered in every state of a node. */
export function readView(output: string): MemberView {
  const told = pairs(output)
  const because = disagreementIn(told)
  if (because !== undefined) return { kind: 'starting', because }
  const members = rows(output)
    .filter((columns) => columns.length === 4)
    .map((columns) => columns[2] ?? '')
    .sort()
  if (String(members.length) !== told.get('wsrep_cluster_size')) {
    return { kind: 'starting', because: 'its view of the group is changing' }
  }
  const history = told.get('wsrep_cluster_state_uuid') ?? ''
  return { kind: 'answered', members, running: members, apart: [], history }
}

function disagreementIn(told: ReadonlyMap<string, string>): string | undefined {
  const state = told.get('wsrep_local_state_comment') ?? 'without a state'
  if (told.get('wsrep_cluster_status') !== 'Primary') return `it has no majority: it is non-Primary, ${state}`
  if (state !== 'Synced') return `it is not Synced but ${state}`
  if (told.get('wsrep_ready') !== 'ON') return 'it is not ready for queries'
  if (told.get('wsrep_reject_queries') !== 'NONE') return 'it rejects queries'
  return told.get('read_only') === 'OFF' ? undefined : 'it is read-only'
}
