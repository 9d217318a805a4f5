import { createHash } from 'node:crypto'
import { labError } from './codes.ts'
import type { Plan } from './plan.ts'

/** The ports of one lab: a block of neighbours. */
export const portsPerLab = 32

// Below the range from which Linux takes the ports of outgoing connections (32768 and up), above the usual servers.
const firstBlock = 21_000
const blockCount = 250

/**
 * The first ports of all blocks, in the order in which a lab should try them. The order depends on the seed alone,
 * so a lab gets the same ports each time they are free.
 */
export function portBlocks(seed: string): readonly number[] {
  const start = createHash('sha256').update(seed).digest().readUInt32BE(0) % blockCount
  return Array.from({ length: blockCount }, (_, i) => firstBlock + ((start + i) % blockCount) * portsPerLab)
}

/** Refuses a first port from which a lab's ports do not fit. */
export function checkFirstPort(firstPort: number, ports: number): void {
  // Ports below 1024 belong to the system; above 65535 there are none.
  const last = 65_536 - ports
  if (Number.isInteger(firstPort) && firstPort >= 1024 && firstPort <= last) return
  throw labError('config-invalid', `basePort: expected 1024 to ${last} for ${ports} ports, got ${firstPort}`)
}

/** Every port that a plan uses. */
export function portsOf(plan: Pick<Plan, 'processes'>): readonly number[] {
  return plan.processes.flatMap((process) => process.ports)
}

/** The ports that labs have for themselves, running or not, with the lab's name. */
export type ReservedPorts = ReadonlyMap<number, string>

/** Refuses ports that another lab has for itself. */
export function checkReserved(ports: readonly number[], reserved: ReservedPorts): void {
  const taken = ports.find((port) => reserved.has(port))
  if (taken === undefined) return
  throw labError(
    'port-taken',
    `port ${taken} belongs to the lab '${reserved.get(taken)}'; choose others with --base-port, or leave it out`,
  )
}
