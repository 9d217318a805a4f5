import { type MariadbDeployment, minDetectMs } from '../mariadb/deployment.ts'
import { checkFirstPort, hostOf, portsPerLab } from '../model/network.ts'
import type { ReplicationTopology } from '../model/topology.ts'
import { checkDetectMs, checkName, nodeNames } from '../model/validation.ts'

/** A server with its number, which must differ in a replication, and its port. */
export interface ReplicationNode {
  readonly name: string
  readonly serverId: number
  readonly host: string
  readonly port: number
}

/** A primary and its replicas, with every question answered. */
export interface ReplicationModel {
  readonly deployment: MariadbDeployment
  readonly primary: ReplicationNode
  readonly replicas: readonly ReplicationNode[]
  readonly detectMs: number | null
  readonly timers: ReplicationTimers
}

/** Checks a topology and fills in what it leaves open. */
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

/** How a replica notices that its primary is gone, in the seconds that the server takes. */
interface ReplicationTimers {
  /** The silence after which a replica dials its primary again. */
  readonly netTimeoutS: number
  /** The primary sends a sign of life after as much time without a write. */
  readonly heartbeatS: number
  /** How long a replica waits before it dials again. */
  readonly retryS: number
}

// MASTER_CONNECT_RETRY is 60 s by default: a primary that was restarted would stay without replicas for a minute.
const retryS = 1

/** The timers that fit a promise: the server's own 60 s and half of it when nothing was promised. */
export function replicationTimers(detectMs: number | null): ReplicationTimers {
  if (detectMs === null) return { netTimeoutS: 60, heartbeatS: 30, retryS }
  const netTimeoutS = Math.ceil(detectMs / 1000)
  return { netTimeoutS, heartbeatS: Math.min(detectMs / 1000, netTimeoutS) / 2, retryS }
}
