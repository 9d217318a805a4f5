import type { RabbitInstallation } from '../machine/installations.ts'
import { labError } from '../model/errors.ts'
import { checkFirstPort, hostNameOf, hostOf, type Network } from '../model/network.ts'
import type { Policy, RabbitTopology } from '../model/topology.ts'
import { checkDetectMs, checkName, nodeNames } from '../model/validation.ts'

/** Where a RabbitMQ lab runs, as the machine determines it. */
export interface RabbitDeployment {
  readonly lab: string
  /** Absolute; contains everything of the lab. */
  readonly folder: string
  /** The first of a block of free ports. */
  readonly firstPort: number
  readonly network: Network
  readonly installation: RabbitInstallation
}

/** A node with its names and ports. */
export interface RabbitNode {
  readonly name: string
  readonly member: string
  readonly host: string
  readonly amqpPort: number
  readonly distributionPort: number
  /** The epmd process that announces its distribution port; there is one for each address. */
  readonly epmd: string
}

/** A validated RabbitMQ cluster with its version, ports and all defaults resolved. */
export interface RabbitModel {
  readonly deployment: RabbitDeployment
  readonly version: RabbitVersion
  readonly nodes: readonly RabbitNode[]
  readonly epmdPort: number
  readonly detectMs: number | null
  readonly timers: RabbitTimers
  readonly vhosts: readonly string[]
  readonly policies: readonly Policy[]
  readonly partitionHandling: 'pause_minority' | 'ignore'
  readonly notes: readonly string[]
}

// A block of 16 ports holds epmd and two ports for each of seven nodes.
const maxNodes = 7
// Four ticks of a second: the server counts in whole seconds.
const minDetectMs = 250

const mirrorAllPolicy: Policy = {
  name: 'ha-all',
  pattern: '^ha\\.',
  definition: { 'ha-mode': 'all', 'ha-sync-mode': 'automatic' },
}

/** Validates a topology and fills in the defaults. */
export function resolveRabbit(topology: RabbitTopology, deployment: RabbitDeployment): RabbitModel {
  checkName(deployment.lab, 'lab')
  const version = parseRabbitVersion(deployment.installation.version)
  const names = nodeNames(topology.nodes ?? 3, 'rabbit', maxNodes)
  checkFirstPort(deployment.firstPort, 1 + 2 * names.length)
  const detectMs = checkDetectMs(topology.detectMs, minDetectMs)
  const wanted = topology.policies ?? (hasFeature(version, 'mirroring') ? [mirrorAllPolicy] : [])
  const policies = wanted.filter((policy) => !mirrors(policy) || hasFeature(version, 'mirroring'))
  return {
    deployment: deployment,
    version,
    nodes: names.map((name, i) => {
      const amqpPort = deployment.firstPort + 1 + i
      return {
        name,
        // A short host name, as in a real cluster, and never an IP address.
        member: `${name}@${hostNameOf(deployment.network, amqpPort)}`,
        host: hostOf(deployment.network, amqpPort),
        amqpPort,
        distributionPort: deployment.firstPort + 1 + names.length + i,
        epmd: deployment.network.kind === 'loopback' ? 'epmd' : `epmd-${name}`,
      }
    }),
    epmdPort: deployment.firstPort,
    detectMs,
    timers: rabbitTimers(detectMs),
    vhosts: ['/', ...checkVhosts(topology.vhosts ?? []).filter((vhost) => vhost !== '/')],
    policies,
    // Neither of two nodes has a majority alone: both would pause.
    partitionHandling:
      names.length >= 3 && hasFeature(version, 'partitionHandling') ? 'pause_minority' : 'ignore',
    notes: notesOn(version, names.length),
  }
}

function checkVhosts(vhosts: readonly string[]): readonly string[] {
  const wrong = vhosts.findIndex(
    (vhost) => typeof vhost !== 'string' || vhost === '' || Buffer.byteLength(vhost) > 255,
  )
  if (wrong === -1) return vhosts
  throw labError('config-invalid', `vhosts[${wrong}]: expected a name of 1 to 255 bytes`)
}

function notesOn(version: RabbitVersion, nodes: number): readonly string[] {
  const notes: string[] = []
  if (!hasFeature(version, 'mirroring')) {
    notes.push(
      `RabbitMQ ${version.text} does not support mirrored queues: no ha-all policy is set; use quorum queues.`,
    )
  }
  if (nodes % 2 === 0) {
    notes.push(`${nodes} nodes tolerate no more failures than ${nodes - 1}; an odd number is recommended.`)
  }
  return notes
}

function mirrors(policy: Policy): boolean {
  return 'ha-mode' in policy.definition
}

/** A RabbitMQ version, as far as decisions need it. */
interface RabbitVersion {
  readonly major: number
  readonly minor: number
  readonly text: string
}

/** Parses `3.10.8` or `4.0.5-rc.1`. */
export function parseRabbitVersion(text: string): RabbitVersion {
  const match = /^(\d+)\.(\d+)\.\d+/.exec(text)
  if (match === null) {
    throw labError('config-invalid', `'${text}' is not a RabbitMQ version; expected one like 3.10.8`)
  }
  return { major: Number(match[1]), minor: Number(match[2]), text }
}

// The version that removed each feature. Sources: the schemas and modules of the server at its release tags 3.10.8,
// 3.13.7, 4.0.5, 4.2.0 and 4.3.5.
const goneSince = {
  /** Policies with `ha-mode`; 4.0 rejects them with 400. */
  mirroring: [4, 0],
  /** A blank node without peers waits 10 x 500 ms before it forms a cluster; 3.13 elects the oldest node at once. */
  patientSeed: [3, 13],
  /** The first node of a cluster starts without its peers; 4.0.5 and 4.3.6 wait for them. */
  loneSeed: [4, 0],
  /** `cluster_partition_handling` has an effect; from 4.3 on it is accepted and ignored. */
  partitionHandling: [4, 3],
} as const

/** A feature that depends on the version. */
export type RabbitFeature = keyof typeof goneSince

/** Whether the version still has the feature. */
export function hasFeature(version: RabbitVersion, feature: RabbitFeature): boolean {
  const [major, minor] = goneSince[feature]
  return version.major < major || (version.major === major && version.minor < minor)
}

/** The timers of the server, in whole seconds as it takes them. */
export interface RabbitTimers {
  /** The time for four ticks; a peer that is silent for all of them is given up. */
  readonly netTicktimeS: number
  /**
   * How long a process that sends to a peer may block while the connection is set up. A frozen peer accepts the
   * connection and does not answer: with the default, the first sender blocks for seven seconds although the peer has
   * been given up.
   */
  readonly netSetuptimeS: number
  /** The interval that the server proposes to clients; it closes a connection after two intervals without a byte. */
  readonly heartbeatS: number
}

const serverDefaults: RabbitTimers = { netTicktimeS: 60, netSetuptimeS: 7, heartbeatS: 60 }

// With 4 s the server tolerates a client whose event loop is blocked for 8 s. Two seconds would close the connection of
// a service that collects garbage for four: a false alarm that no client can prevent.
const minHeartbeatS = 4

/** The timers for a detection time, with one tick each `detectMs`; the server's defaults when none was given. */
export function rabbitTimers(detectMs: number | null): RabbitTimers {
  if (detectMs === null) return serverDefaults
  const netTicktimeS = Math.ceil((4 * detectMs) / 1000)
  const netSetuptimeS = Math.ceil(detectMs / 1000)
  return { netTicktimeS, netSetuptimeS, heartbeatS: Math.max(minHeartbeatS, netTicktimeS) }
}
