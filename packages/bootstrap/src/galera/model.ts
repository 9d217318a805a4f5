import { type MariadbDeployment, minDetectMs } from '../mariadb/place.ts'
import { labError } from '../model/codes.ts'
import { checkDetectMs } from '../model/limits.ts'
import { checkName, nodeNames } from '../model/names.ts'
import { hostOf } from '../model/network.ts'
import { checkFirstPort, portsPerLab } from '../model/ports.ts'
import type { GaleraTopology } from '../model/topology.ts'
import { type GaleraTimers, galeraTimers } from './timers.ts'

/** A node with its ports. */
export interface GaleraNode {
  readonly name: string
  readonly host: string
  readonly sqlPort: number
  /** Where members speak to each other. */
  readonly groupPort: number
  /** Where it gets the writes that it missed. */
  readonly istPort: number
  /** Where it gets all data when it missed too much. */
  readonly sstPort: number
}

/** A member that votes and has no data. */
export interface GaleraArbitrator {
  readonly name: string
  readonly program: string
  readonly host: string
  readonly groupPort: number
}

/** A Galera cluster with every question answered: validated, programs found, ports given. */
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

/** Checks a topology and fills in what it leaves open. */
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
    throw labError('name-taken', `nodes: '${arbitratorName}' is the name of the arbitrator; choose another`)
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
    `not found on this machine: ${what}; type: apt-get install -y --no-install-recommends ${debianPackage}`,
  )
}

function notesOn(members: number): readonly string[] {
  if (members % 2 === 1) return []
  return [`${members} members bear no more lost members than ${members - 1}: an odd number is better.`]
}
