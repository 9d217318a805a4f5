import type { ClientEvent } from '../harness/client-event.ts'
import type { LiveRow } from '../harness/live-table.ts'
import type { TrafficCount } from '../harness/traffic.ts'
import { startWorker, type Worker } from '../harness/worker.ts'
import type { ContestantSetup } from './contestant.ts'
import type { Op } from './ledger.ts'
import type { Rates } from './traffic.ts'

/** Which contestant works on what, and how hard. */
export interface Setup extends Omit<ContestantSetup, 'onEvent'> {
  readonly contestant: string
  readonly rates: Rates
}

/** What a client did and was told, from the first operation to the last. */
export interface Outcome {
  readonly ops: readonly Op[]
  readonly events: readonly ClientEvent[]
}

/** A client at work in its own process. */
export type ClientRun = Worker<TrafficCount, Outcome>

const program = new URL('./client-process.js', import.meta.url)

/** Starts a client and waits until it works. */
export function runClient(setup: Setup): Promise<ClientRun> {
  return startWorker(setup.contestant, program, setup)
}

/** How far a client is. */
export function countOf(run: ClientRun): TrafficCount {
  return run.count() ?? { begun: 0, 'writes done': 0, 'reads done': 0, failed: 0 }
}

/** A client as a row of the live table. */
export function liveRow(run: ClientRun): LiveRow {
  return { name: run.name, alive: 'writes done', counters: () => Object.entries(countOf(run)) }
}
