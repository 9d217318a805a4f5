import { checkDetectMs } from '../model/limits.ts'
import { checkName, nodeNames } from '../model/names.ts'
import { hostOf } from '../model/network.ts'
import { checkFirstPort } from '../model/ports.ts'
import type { ZookeeperTopology } from '../model/topology.ts'
import type { ZookeeperDeployment } from './place.ts'
import { type ZookeeperTimers, zookeeperTimers } from './timers.ts'

/** A server with its number in the ensemble, its address and its ports. */
export interface ZookeeperNode {
  readonly name: string
  /** What is in its `myid`: 1, 2, 3. */
  readonly id: number
  readonly host: string
  readonly clientPort: number
  /** Where followers connect to it while it leads. */
  readonly quorumPort: number
  /** Where servers vote. */
  readonly electionPort: number
}

/** An ensemble with every question answered: validated, programs found, ports given. */
export interface ZookeeperModel {
  readonly deployment: ZookeeperDeployment
  readonly nodes: readonly ZookeeperNode[]
  readonly detectMs: number | null
  readonly timers: ZookeeperTimers
  readonly notes: readonly string[]
}

const portsPerNode = 3
const maxNodes = 7
// A tick of 250 ms: below, a collection of garbage looks like a death.
const minDetectMs = 500

/** Checks a topology and fills in what it leaves open. */
export function resolveZookeeper(
  topology: ZookeeperTopology,
  deployment: ZookeeperDeployment,
): ZookeeperModel {
  checkName(deployment.lab, 'lab')
  const names = nodeNames(topology.nodes ?? 3, 'zk', maxNodes)
  checkFirstPort(deployment.firstPort, names.length * portsPerNode)
  const detectMs = checkDetectMs(topology.detectMs, minDetectMs)
  return {
    deployment: deployment,
    nodes: names.map((name, i) => {
      const clientPort = deployment.firstPort + i * portsPerNode
      const host = hostOf(deployment.network, clientPort)
      return { name, id: i + 1, host, clientPort, quorumPort: clientPort + 1, electionPort: clientPort + 2 }
    }),
    detectMs,
    timers: zookeeperTimers(detectMs),
    notes: notesOn(names.length),
  }
}

function notesOn(nodes: number): readonly string[] {
  if (nodes === 1)
    return ['One server alone is no ensemble: it runs standalone, and nothing takes over from it.']
  if (nodes % 2 === 1) return []
  return [`${nodes} servers bear no more lost servers than ${nodes - 1}: an odd number is better.`]
}
