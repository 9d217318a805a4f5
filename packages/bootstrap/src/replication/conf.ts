import { commonSettings, renderConf } from '../mariadb/conf.ts'
import type { ReplicationModel, ReplicationNode } from './model.ts'

/** The text of a server's configuration file. A replica is read-only for everybody but replication and the administrator. */
export function renderReplicationConf(model: ReplicationModel, node: ReplicationNode): string {
  return renderConf([
    ...commonSettings(model.deployment, node),
    ['server_id', node.serverId],
    ['log_bin', 'binlog'],
    ['log_slave_updates', 'ON'],
    ['gtid_strict_mode', 'ON'],
    // How the primary's `SHOW SLAVE HOSTS` names it.
    ['report_host', node.name],
    ['slave_net_timeout', model.timers.netTimeoutS],
    ['read_only', node === model.primary ? 0 : 1],
  ])
}
