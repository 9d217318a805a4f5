import type { ClientEvent } from '../harness/client-event.ts'
import type { LiveRow } from '../harness/live-table.ts'
import type { TrafficCount } from '../harness/traffic.ts'
import { startWorker, type Worker } from '../harness/worker.ts'
import type { Place } from './attached.ts'
import type { ContestantSetup } from './contestant.ts'
import type { Op } from './ledger.ts'
import type { Rates } from './traffic.ts'

/** Which contestant works on what, how hard, and where it begins. */
export interface ClientSetup extends Omit<ContestantSetup, 'onEvent'> {
  readonly contestant: string
  readonly rates: Rates
  readonly place: Place
}

/** What a client did and was told, from the first operation to the last. */
export interface ClientOutcome {
  readonly ops: readonly Op[]
  readonly events: readonly ClientEvent[]
}

/** A client at work in its own process. */
export type ClientRun = Worker<TrafficCount, ClientOutcome>

const program = new URL('./client-process.js', import.meta.url)

/** Starts a client and waits until it works. */
export function runClient(setup: ClientSetup): Promise<ClientRun> {
  return startWorker(setup.contestant, program, setup)
}

/** How many writes a client has done. */
export function writesOf(run: ClientRun): number {
  return run.count()?.['writes done'] ?? 0
}

/** A client as a row of the live table. */
export function liveRow(run: ClientRun): LiveRow {
  return {
    name: run.name,
    alive: 'writes done',
    counters: () => Object.entries(run.count() ?? { begun: 0, 'writes done': 0 }),
  }
}
