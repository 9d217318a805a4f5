import type { MemberView } from '../model/membership.ts'

/** Asks the primary: its name, whether it takes writes, how far it got, and who follows it. */
export const primaryQuery =
  "SELECT 'primary', @@report_host, @@read_only, @@gtid_binlog_pos; SHOW SLAVE HOSTS"

/** Asks a replica, one column a line: how far it got, and how its two threads stand. */
export const replicaQuery = "SELECT 'replica' AS role, @@gtid_slave_pos AS gtid_slave_pos; SHOW SLAVE STATUS"

/** Reads what a server answered to {@link primaryQuery} or {@link replicaQuery}. */
export function readView(output: string): MemberView {
  const told = new Map(
    [...output.matchAll(/^ *(\w+): ?(.*)$/gm)].map(([, key = '', value = '']) => [key, value]),
  )
  return told.get('role') === 'replica' ? replicaView(told) : primaryView(output)
}

function replicaView(told: ReadonlyMap<string, string>): MemberView {
  const [io, applier] = [told.get('Slave_IO_Running'), told.get('Slave_SQL_Running')]
  if (io !== 'Yes')
    return { kind: 'starting', because: `it does not hear its primary: ${io ?? 'it follows nobody'}` }
  if (applier !== 'Yes') return { kind: 'starting', because: 'its applier does not run' }
  return { kind: 'vouched', role: 'replica', history: told.get('gtid_slave_pos') ?? '' }
}

function primaryView(output: string): MemberView {
  const [first = '', ...hosts] = output.split('\n').filter((line) => line !== '')
  const [role, name = '', isReadOnly, history = ''] = first.split('\t')
  if (role !== 'primary') return { kind: 'starting', because: `it answered ${JSON.stringify(first)}` }
  if (isReadOnly !== '0') return { kind: 'starting', because: 'it is read-only' }
  const members = [name, ...hosts.map((host) => host.split('\t')[1] ?? '')].sort()
  return { kind: 'answered', members, running: members, apart: [], history, role: 'primary' }
}
