import type { ZookeeperInstallation } from '../machine/installations.ts'
import { checkFirstPort, hostOf, type Network } from '../model/network.ts'
import type { ZookeeperTopology } from '../model/topology.ts'
import { checkDetectMs, checkName, nodeNames } from '../model/validation.ts'

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

/** Where a lab of ZooKeeper servers will be: what the machine decides, not the user. */
export interface ZookeeperDeployment {
  readonly lab: string
  /** Absolute; everything of the lab is in it. */
  readonly folder: string
  /** The first of a block of free ports. */
  readonly firstPort: number
  readonly network: Network
  readonly installation: ZookeeperInstallation
}

/** The timers of an ensemble, in the words of its configuration. */
interface ZookeeperTimers {
  /** The length of a tick: servers ping each other every half of it, and sessions expire on its boundaries. */
  readonly tickMs: number
  /** How many ticks a server may take to connect to a new leader and to get what it lacks. */
  readonly initLimit: number
  /** How many ticks a server may be silent before the others give it up. */
  readonly syncLimit: number
  /** How long a server waits for another one to take its connection. */
  readonly connectMs: number
}

// Those of the sample configuration that everybody copies, and the server's own for a connection.
const serverDefaults: ZookeeperTimers = { tickMs: 2000, initLimit: 10, syncLimit: 5, connectMs: 5000 }

// One tick of silence would be too short: a ping that is late by half a tick would end a quorum that is well.
const syncLimit = 2

/** The timers that fit a promise: a leader or follower that was silent for `detectMs` is given up by the others. */
export function zookeeperTimers(detectMs: number | null): ZookeeperTimers {
  if (detectMs === null) return serverDefaults
  const tickMs = Math.ceil(detectMs / syncLimit)
  return { tickMs, initLimit: serverDefaults.initLimit, syncLimit, connectMs: detectMs }
}
