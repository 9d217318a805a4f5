import { labError } from './codes.ts'
import type { KindName } from './plan.ts'

// An idle node of RabbitMQ 3.10.8, of MariaDB 10.11 or of ZooKeeper 3.8 takes 120 MiB; with a drill's traffic about 200.
const mibPerNode = 200

/** Refuses a lab that the machine's memory cannot carry; not knowing how much there is refuses nothing. */
export function checkMemory(availableMib: number | undefined, nodes: number, kind: KindName): void {
  const neededMib = nodes * mibPerNode
  if (availableMib === undefined || availableMib >= neededMib) return
  throw labError(
    'memory-short',
    `${nodes} nodes need ${neededMib} MiB of memory and ${availableMib} MiB are available; ` +
      `end other programs, or type: hactl up ${kind} --nodes 1`,
  )
}
