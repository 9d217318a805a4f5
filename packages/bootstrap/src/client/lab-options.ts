import type { Endpoint } from '@ha/core'
import type { PartitionSide } from '../model/plan.ts'
import type { CallOptions } from './call.ts'

/** How long a wait lasts that says nothing else. */
export const defaultWaitMs = 60_000

/** A node of a lab. */
export interface LabNode {
  readonly name: string
  /** Where applications dial it. It stays the same when the node is killed and comes back. */
  readonly endpoint: Endpoint
  /** The process that signals would hit; null while the node does not run. */
  readonly pid: number | null
  /** Everything that the node printed. */
  readonly logPath: string
}

/** How long a fault lasts, and who may end the wait for its beginning. */
export interface FaultOptions {
  /** 1 to 604 800 000: a week. Default 300 000: five minutes. */
  readonly forMs?: number
  readonly signal?: AbortSignal | undefined
}

/** From whom a node is cut, for how long, and who may end the wait for the beginning. */
export interface PartitionOptions extends FaultOptions {
  /** Default `peers`. */
  readonly from?: PartitionSide
}

/** How long to wait, and who may end the wait. */
export interface WaitOptions extends CallOptions {
  /** 1 to 86 400 000: a day. Default 60 000. */
  readonly timeoutMs?: number
}

/** Which nodes' data are given up, and who may end the wait. */
export interface RecoverOptions extends CallOptions {
  /** Nodes that cannot be asked, or whose data shall not count, by name. Default none. */
  readonly assumeLost?: readonly string[]
}
