import type { ZookeeperInstallation } from '../machine/installations.ts'
import { checkFirstPort, hostOf, type Network } from '../model/network.ts'
import type { ZookeeperTopology } from '../model/topology.ts'
import { checkDetectMs, checkName, nodeNames } from '../model/validation.ts'

/** A server with its number in the ensemble, its address and its ports. */
export interface ZookeeperNode {
  readonly name: string
  /** The content of its `myid`: 1, 2, 3. */
  readonly id: number
  readonly host: string
  readonly clientPort: number
  /** The port at which followers connect to it while it leads. */
  readonly quorumPort: number
  /** The port for leader elections. */
  readonly electionPort: number
}

/** A validated ensemble with its ports and all defaults resolved. */
export interface ZookeeperModel {
  readonly deployment: ZookeeperDeployment
  readonly nodes: readonly ZookeeperNode[]
  readonly detectMs: number | null
  readonly timers: ZookeeperTimers
  readonly notes: readonly string[]
}

const portsPerNode = 3
const maxNodes = 7
// A tick of 250 ms: with shorter ones a garbage collection looks like a failure.
const minDetectMs = 500

/** Validates a topology and fills in the defaults. */
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
  if (nodes === 1) return ['A single server runs standalone: there is no failover.']
  if (nodes % 2 === 1) return []
  return [`${nodes} servers tolerate no more failures than ${nodes - 1}; an odd number is recommended.`]
}

/** Where a lab of ZooKeeper servers runs, as the machine determines it. */
export interface ZookeeperDeployment {
  readonly lab: string
  /** Absolute; contains everything of the lab. */
  readonly folder: string
  /** The first of a block of free ports. */
  readonly firstPort: number
  readonly network: Network
  readonly installation: ZookeeperInstallation
}

/** The timers of an ensemble, in the terms of its configuration. */
interface ZookeeperTimers {
  /** The length of a tick: servers ping each other every half tick, and sessions expire on tick boundaries. */
  readonly tickMs: number
  /** How many ticks a server may take to connect to a new leader and to synchronize. */
  readonly initLimit: number
  /** How many ticks a server may be silent before the others give it up. */
  readonly syncLimit: number
  /** How long a server waits for a connection to a peer. */
  readonly connectMs: number
}

// The values of ZooKeeper's sample configuration, and the server's default for a connection.
const serverDefaults: ZookeeperTimers = { tickMs: 2000, initLimit: 10, syncLimit: 5, connectMs: 5000 }

// One tick of silence would be too short: a ping that is late by half a tick would end a healthy quorum.
const syncLimit = 2

/** The timers for a detection time: a leader or follower that is silent for `detectMs` is given up by the others. */
export function zookeeperTimers(detectMs: number | null): ZookeeperTimers {
  if (detectMs === null) return serverDefaults
  const tickMs = Math.ceil(detectMs / syncLimit)
  return { tickMs, initLimit: serverDefaults.initLimit, syncLimit, connectMs: detectMs }
}
