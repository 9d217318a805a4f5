import type { MemberView } from '../model/membership.ts'

/** Asks the primary for its name, its position, its replicas, and whether it accepts writes. */
export const primaryQuery =
  "SELECT 'primary', @@report_host, @@read_only, @@gtid_binlog_pos; SHOW SLAVE HOSTS"

/** Asks a replica for its position and the state of its two threads, one column in each line. */
export const replicaQuery = "SELECT 'replica' AS role, @@gtid_slave_pos AS gtid_slave_pos; SHOW SLAVE STATUS"

/** Reads the answer to {@link primaryQuery} or {@link replicaQuery}. */
export function readView(output: string): MemberView {
  const values = new Map(
    [...output.matchAll(/^ *(\w+): ?(.*)$/gm)].map(([, key = '', value = '']) => [key, value]),
  )
  return values.get('role') === 'replica' ? replicaView(values) : primaryView(output)
}

function replicaView(values: ReadonlyMap<string, string>): MemberView {
  const [io, applier] = [values.get('Slave_IO_Running'), values.get('Slave_SQL_Running')]
  if (io !== 'Yes')
    return {
      kind: 'starting',
      because: `it is not connected to its primary: ${io ?? 'no replication is configured'}`,
    }
  if (applier !== 'Yes') return { kind: 'starting', because: 'its applier does not run' }
  return { kind: 'vouched', role: 'replica', history: values.get('gtid_slave_pos') ?? '' }
}

function primaryView(output: string): MemberView {
  const [first = '', ...hosts] = output.split('\n').filter((line) => line !== '')
  const [role, name = '', isReadOnly, history = ''] = first.split('\t')
  if (role !== 'primary') return { kind: 'starting', because: `it answered ${JSON.stringify(first)}` }
  if (isReadOnly !== '0') return { kind: 'starting', because: 'it is read-only' }
  const members = [name, ...hosts.map((host) => host.split('\t')[1] ?? '')].sort()
  return { kind: 'answered', members, running: members, apart: [], history, role: 'primary' }
}
