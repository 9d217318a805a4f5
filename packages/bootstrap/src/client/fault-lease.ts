import type { Fault } from '../lab/events.ts'

/** A fault in force. It heals by itself at `healsAt`, whatever happens to the program that began it. */
export interface FaultLease extends Fault {
  /** Heals the node now; resolves when its process runs again. Agreement comes a moment later: see `lab.ready()`. */
  heal(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A lease around a fault, with the way to end it. */
export function faultLease(fault: Fault, heal: () => Promise<void>): FaultLease {
  return { ...fault, heal, [Symbol.asyncDispose]: heal }
}
