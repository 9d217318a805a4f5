import { checkDetectMs } from '../model/limits.ts'
import { checkName, nodeNames } from '../model/names.ts'
import { hostNameOf, hostOf, type Network } from '../model/network.ts'
import { checkFirstPort } from '../model/ports.ts'
import type { Policy, RabbitTopology } from '../model/topology.ts'
import type { RabbitInstallation } from './installation.ts'
import { type RabbitTimers, rabbitTimers } from './timers.ts'
import { hasFeature, parseRabbitVersion, type RabbitVersion } from './version.ts'

/** Where a lab will be: what the machine decides, not the user. */
export interface RabbitDeployment {
  readonly lab: string
  /** Absolute; everything of the lab is in it. */
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
  /** The process that tells others its distribution port: there is one for each address. */
  readonly epmd: string
}

/** A RabbitMQ cluster with every question answered: validated, versions known, ports given. */
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

/** Checks a topology and fills in what it leaves open. */
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
        // A short host name, as a real cluster has it: never an IP address.
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
    vhosts: ['/', ...(topology.vhosts ?? []).filter((vhost) => vhost !== '/')],
    policies,
    // Two nodes have no majority without each other: both would pause.
    partitionHandling:
      names.length >= 3 && hasFeature(version, 'partitionHandling') ? 'pause_minority' : 'ignore',
    notes: notesOn(version, names.length),
  }
}

function notesOn(version: RabbitVersion, nodes: number): readonly string[] {
  const notes: string[] = []
  if (!hasFeature(version, 'mirroring')) {
    notes.push(`RabbitMQ ${version.text} knows no mirrored queues: no ha-all policy; use quorum queues.`)
  }
  if (nodes % 2 === 0) {
    notes.push(`${nodes} nodes bear no more lost nodes than ${nodes - 1}: an odd number is better.`)
  }
  return notes
}

function mirrors(policy: Policy): boolean {
  return 'ha-mode' in policy.definition
}
