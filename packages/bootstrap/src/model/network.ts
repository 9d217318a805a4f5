import { createHash } from 'node:crypto'
import { labError } from './errors.ts'
import type { LabPlan } from './plan.ts'

/** How the servers of a lab reach each other. */
export type Network =
  /** All servers listen on 127.0.0.1, each on its own ports. */
  | { readonly kind: 'loopback' }
  /** Each server has a network namespace and an address; the folder holds the files of the sandbox. */
  | { readonly kind: 'sandbox'; readonly folder: string }

const loopback = '127.0.0.1'

/** Whether other programs on this machine may have taken ports of this address. */
export function isShared(host: string): boolean {
  return host === loopback
}

/**
 * The address of the node whose first port is given. In a sandbox the port is the last two bytes of the address: a
 * port that is unique on the machine gives an address that is unique in the sandbox and stays the same for the same
 * lab.
 */
export function hostOf({ kind }: Network, port: number): string {
  return kind === 'loopback' ? loopback : `10.77.${port >> 8}.${port & 255}`
}

/** The host name that the servers of a node use. */
export function hostNameOf({ kind }: Network, port: number): string {
  return kind === 'loopback' ? 'localhost' : `node${port}`
}

/** The number of consecutive ports that one lab gets. */
export const portsPerLab = 32

// Below the range that Linux uses for outgoing connections (32768 and up) and above the ports of common servers.
const firstBlock = 21_000
const blockCount = 250

/**
 * The first ports of all blocks, in the order in which a lab tries them. The order depends on the seed alone, so that
 * a lab gets the same ports each time they are free.
 */
export function portBlocks(seed: string): readonly number[] {
  const start = createHash('sha256').update(seed).digest().readUInt32BE(0) % blockCount
  return Array.from({ length: blockCount }, (_, i) => firstBlock + ((start + i) % blockCount) * portsPerLab)
}

/** The numbers of the blocks in which these ports are, each once; ports that were chosen by hand may be in two. */
export function portUnits(ports: readonly number[]): readonly number[] {
  return [...new Set(ports.map((port) => Math.floor((port - firstBlock) / portsPerLab)))]
}

/** Rejects a first port that leaves no room for all ports of the lab. */
export function checkFirstPort(firstPort: number, ports: number): void {
  // Ports below 1024 are privileged; 65535 is the highest.
  const last = 65_536 - ports
  if (Number.isInteger(firstPort) && firstPort >= 1024 && firstPort <= last) return
  throw labError('config-invalid', `basePort: expected 1024 to ${last} for ${ports} ports, got ${firstPort}`)
}

/** All ports that a plan uses. */
export function portsOf(plan: Pick<LabPlan, 'processes'>): readonly number[] {
  return plan.processes.flatMap((process) => process.ports)
}

/** The ports reserved by labs, running or not, with the name of each lab. */
export type ReservedPorts = ReadonlyMap<number, string>

/** Rejects ports that another lab has reserved. */
export function checkReserved(ports: readonly number[], reserved: ReservedPorts): void {
  const taken = ports.find((port) => reserved.has(port))
  if (taken === undefined) return
  throw labError(
    'port-taken',
    `port ${taken} belongs to the lab '${reserved.get(taken)}'; choose others with --base-port, or omit it`,
  )
}
