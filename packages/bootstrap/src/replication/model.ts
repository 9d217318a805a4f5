import { type MariadbDeployment, minDetectMs } from '../mariadb/place.ts'
import { checkDetectMs } from '../model/limits.ts'
import { checkName, nodeNames } from '../model/names.ts'
import { hostOf } from '../model/network.ts'
import { checkFirstPort, portsPerLab } from '../model/ports.ts'
import type { ReplicationTopology } from '../model/topology.ts'
import { type ReplicationTimers, replicationTimers } from './timers.ts'

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
