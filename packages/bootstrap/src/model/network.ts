import { createHash } from 'node:crypto'
import { labError } from './errors.ts'
import type { Plan } from './plan.ts'

/** How the servers of a lab reach each other. */
export type Network =
  /** All listen on 127.0.0.1, each on ports of its own. */
  | { readonly kind: 'loopback' }
  /** Each has a network namespace and an address of its own; files of the sandbox are in this folder. */
  | { readonly kind: 'sandbox'; readonly folder: string }

const loopback = '127.0.0.1'

/** Whether others on this machine may have taken ports of the address. */
export function isShared(host: string): boolean {
  return host === loopback
}

/**
 * The address of the node whose first port this is. In a sandbox the port makes it, as its last two bytes: what is
 * unique on the machine is so in the sandbox, and the same lab gets the same addresses again.
 */
export function hostOf({ kind }: Network, port: number): string {
  return kind === 'loopback' ? loopback : `10.77.${port >> 8}.${port & 255}`
}

/** The name by which the servers of a node know its host. */
export function hostNameOf({ kind }: Network, port: number): string {
  return kind === 'loopback' ? 'localhost' : `node${port}`
}

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
