import { type MariadbDeployment, minDetectMs } from '../mariadb/deployment.ts'
import { checkFirstPort, hostOf, portsPerLab } from '../model/network.ts'
import type { ReplicationTopology } from '../model/topology.ts'
import { checkDetectMs, checkName, nodeNames } from '../model/validation.ts'

/** A server with its port and its server id, which must be unique in a replication. */
export interface ReplicationNode {
  readonly name: string
  readonly serverId: number
  readonly host: string
  readonly port: number
}

/** A validated primary with its replicas and all defaults resolved. */
export interface ReplicationModel {
  readonly deployment: MariadbDeployment
  readonly primary: ReplicationNode
  readonly replicas: readonly ReplicationNode[]
  readonly detectMs: number | null
  readonly timers: ReplicationTimers
}

/** Validates a topology and fills in the defaults. */
export function resolveReplication(
  topology: ReplicationTopology,
  deployment: MariadbDeployment,
): ReplicationModel {
  const [primary = '', ...replicas] = nodeNames(topology.nodes ?? 3, 'db', portsPerLab)
  checkName(deployment.lab, 'lab')
  checkFirstPort(deployment.firstPort, replicas.length + 1)
  const detectMs = checkDetectMs(topology.detectMs, minDetectMs)
  const node = (name: string, i: number): ReplicationNode => {
    const port = deployment.firstPort + i
    return { name, serverId: i + 1, host: hostOf(deployment.network, port), port }
  }
  return {
    deployment: deployment,
    primary: node(primary, 0),
    replicas: replicas.map((name, i) => node(name, i + 1)),
    detectMs,
    timers: replicationTimers(detectMs),
  }
}

/** How a replica detects the loss of its primary, in seconds as the server takes them. */
interface ReplicationTimers {
  /** The silence after which a replica reconnects to its primary. */
  readonly netTimeoutS: number
  /** The primary sends a heartbeat after this time without a write. */
  readonly heartbeatS: number
  /** How long a replica waits before it reconnects. */
  readonly retryS: number
}

// MASTER_CONNECT_RETRY is 60 s by default: a restarted primary would have no replicas for a minute.
const retryS = 1

/** The timers for a detection time; the server's defaults of 60 s and half of that when none was given. */
export function replicationTimers(detectMs: number | null): ReplicationTimers {
  if (detectMs === null) return { netTimeoutS: 60, heartbeatS: 30, retryS }
  const netTimeoutS = Math.ceil(detectMs / 1000)
  return { netTimeoutS, heartbeatS: Math.min(detectMs / 1000, netTimeoutS) / 2, retryS }
}
