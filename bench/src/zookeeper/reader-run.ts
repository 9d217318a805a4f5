import type { ClientEvent } from '../harness/client-event.ts'
import { startWorker, type Worker } from '../harness/worker.ts'
import type { Register } from './contents.ts'

/** Who follows which service and which registers. */
export interface ReaderSetup {
  readonly connect: string
  readonly sessionTimeoutMs: number
  readonly basePath: string
  readonly registers: string
}

export interface ReaderCount {
  readonly instances: number
}

export interface ReaderOutcome {
  readonly events: readonly ClientEvent[]
  /** Ids of the instances in the view, sorted. */
  readonly instances: readonly string[]
  /** The fewest that were in the view at any time since it had them all. */
  readonly fewestInstances: number
  /** How often there was nobody to be picked. */
  readonly emptyPicks: number
  /** What the cache of the registers holds, by path. */
  readonly registers: ReadonlyMap<string, Register>
  readonly isStale: boolean
}

/** A process whose client has a view of the service and a cache of the registers. */
export type ReaderRun = Worker<ReaderCount, ReaderOutcome>

const program = new URL('./reader-process.js', import.meta.url)

/** Starts a reader and waits until it has read everything once. */
export function runReader(setup: ReaderSetup): Promise<ReaderRun> {
  return startWorker('reader', program, setup)
}
