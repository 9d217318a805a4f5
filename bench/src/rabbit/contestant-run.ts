import type { LiveRow } from '../harness/live-table.ts'
import { startWorker, type Worker } from '../harness/worker.ts'
import type { Note } from '../harness/worker-messages.ts'
import type { Ledger } from './ledger.ts'
import type { TrafficCount } from './traffic.ts'

/** Which contestant works on what, and how hard. */
export interface Setup {
  readonly contestant: string
  readonly endpoints: readonly string[]
  readonly queue: string
  readonly consumeArguments: Readonly<Record<string, unknown>>
  readonly ratePerSecond: number
  readonly retryMs: number
}

/** What a contestant did and was told, from the first message to the last. */
export interface Outcome {
  readonly ledger: Ledger
  readonly notes: readonly Note[]
}

/** A contestant at work in its own process. */
export type ContestantRun = Worker<TrafficCount, Outcome>

const program = new URL('./contestant-process.js', import.meta.url)

/** Starts a contestant and waits until it publishes and consumes. */
export function runContestant(setup: Setup): Promise<ContestantRun> {
  return startWorker(setup.contestant, program, setup)
}

/** How far a contestant is. */
export function countOf(run: ContestantRun): TrafficCount {
  return run.count() ?? { sent: 0, confirmed: 0, rejected: 0, consumed: 0 }
}

/** A contestant as a row of the live table. */
export function liveRow(run: ContestantRun): LiveRow {
  return { name: run.name, alive: 'confirmed', counters: () => Object.entries(countOf(run)) }
}
