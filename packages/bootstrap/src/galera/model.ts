import { type MariadbDeployment, minDetectMs } from '../mariadb/deployment.ts'
import { labError } from '../model/errors.ts'
import { checkFirstPort, hostOf, portsPerLab } from '../model/network.ts'
import type { GaleraTopology } from '../model/topology.ts'
import { checkDetectMs, checkName, nodeNames } from '../model/validation.ts'

/** A node with its ports. */
export interface GaleraNode {
  readonly name: string
  readonly host: string
  readonly sqlPort: number
  /** The port for the group communication. */
  readonly groupPort: number
  /** The port at which the node receives the writes that it missed. */
  readonly istPort: number
  /** The port at which the node receives a full copy of the data. */
  readonly sstPort: number
}

/** A member that votes and has no data. */
export interface GaleraArbitrator {
  readonly name: string
  readonly program: string
  readonly host: string
  readonly groupPort: number
}

/** A validated Galera cluster with its programs, ports and all defaults resolved. */
export interface GaleraModel {
  readonly deployment: MariadbDeployment
  readonly provider: string
  readonly nodes: readonly GaleraNode[]
  readonly arbitrator: GaleraArbitrator | null
  readonly detectMs: number | null
  readonly timers: GaleraTimers
  readonly notes: readonly string[]
}

const portsPerNode = 4
// An arbitrator takes one port.
const maxNodes = Math.floor((portsPerLab - 1) / portsPerNode)
const arbitratorName = 'garb'

/** Validates a topology and fills in the defaults. */
export function resolveGalera(topology: GaleraTopology, deployment: MariadbDeployment): GaleraModel {
  const hasArbitrator = topology.arbitrator ?? false
  const names = nodeNames(topology.nodes ?? (hasArbitrator ? 2 : 3), 'db', maxNodes)
  checkName(deployment.lab, 'lab')
  checkFirstPort(deployment.firstPort, names.length * portsPerNode + 1)
  const detectMs = checkDetectMs(topology.detectMs, minDetectMs)
  return {
    deployment: deployment,
    provider: requireProgram(deployment.installation.provider, 'the Galera library', 'galera-4'),
    nodes: names.map((name, i) => {
      const sqlPort = deployment.firstPort + i * portsPerNode
      const host = hostOf(deployment.network, sqlPort)
      return { name, host, sqlPort, groupPort: sqlPort + 1, istPort: sqlPort + 2, sstPort: sqlPort + 3 }
    }),
    arbitrator: hasArbitrator ? resolveArbitrator(deployment, names) : null,
    detectMs,
    timers: galeraTimers(detectMs),
    notes: notesOn(names.length + (hasArbitrator ? 1 : 0)),
  }
}

function resolveArbitrator(deployment: MariadbDeployment, names: readonly string[]): GaleraArbitrator {
  if (names.includes(arbitratorName)) {
    throw labError(
      'name-taken',
      `nodes: '${arbitratorName}' is the name of the arbitrator; choose another name`,
    )
  }
  const groupPort = deployment.firstPort + names.length * portsPerNode
  return {
    name: arbitratorName,
    program: requireProgram(deployment.installation.arbitrator, 'garbd', 'galera-arbitrator-4'),
    host: hostOf(deployment.network, groupPort),
    groupPort,
  }
}

function requireProgram(program: string | null, what: string, debianPackage: string): string {
  if (program !== null) return program
  throw labError(
    'package-missing',
    `not found on this machine: ${what}; run: apt-get install -y --no-install-recommends ${debianPackage}`,
  )
}

function notesOn(members: number): readonly string[] {
  if (members % 2 === 1) return []
  return [`${members} members tolerate no more failures than ${members - 1}; an odd number is recommended.`]
}

/** The timers of a Galera group, in the format of its provider. */
type GaleraTimers = Readonly<Record<`evs.${string}`, string>>

// The provider accepts no shorter period.
const minPeriodMs = 100
// The default of the provider.
const maxRetransmissionMs = 1_000

/**
 * The timers for a detection time: a member that is silent for `detectMs` is suspected, and given up when all others
 * suspect it, at the latest after twice that time. Without a detection time the provider's defaults of 5 s and 15 s
 * apply.
 */
export function galeraTimers(detectMs: number | null): GaleraTimers {
  if (detectMs === null) return {}
  // Five keepalives fit into the silence; the provider requires three at least.
  const periodMs = Math.max(minPeriodMs, detectMs / 5)
  return {
    'evs.keepalive_period': period(periodMs),
    'evs.inactive_check_period': period(periodMs),
    'evs.suspect_timeout': period(detectMs),
    'evs.inactive_timeout': period(2 * detectMs),
    'evs.install_timeout': period(2 * detectMs),
    // A lost message of the new group is sent again several times before its installation is given up. With the
    // provider's default of a second, a third member took 8 to 12 s to join in five of six attempts, instead of 3 to 4,
    // and once the group did not form again.
    'evs.join_retrans_period': period(Math.min(maxRetransmissionMs, 0.3 * detectMs)),
  }
}

function period(ms: number): string {
  return `PT${ms / 1000}S`
}
