import type { ClientEvent } from '../harness/client-event.ts'
import { startWorker, type Worker } from '../harness/worker.ts'

/** Who watches which service while the ensemble is away. */
export interface WatcherSetup {
  readonly connect: string
  readonly basePath: string
}

export interface WatcherCount {
  readonly stale: number
}

/** What it cost a process to go on without the ensemble. */
export interface WatcherOutcome {
  readonly events: readonly ClientEvent[]
  /** For how long the view said that it was stale, in milliseconds. */
  readonly staleMs: number
  readonly picks: number
  readonly emptyPicks: number
  readonly fewestInstances: number
  /** Bytes that are in use after a collection: soon after the beginning, and at the end. */
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly residentBefore: number
  readonly residentAfter: number
  /** Processor time for each second of the outage, in percent of one processor. */
  readonly cpuPercent: number
}

/** A process whose client has a view of a service, and nothing else to do. */
export type WatcherRun = Worker<WatcherCount, WatcherOutcome>

const program = new URL('./watcher-process.js', import.meta.url)

/** Starts a watcher and waits until it has read the list. */
export function runWatcher(setup: WatcherSetup): Promise<WatcherRun> {
  return startWorker('watcher', program, setup)
}
