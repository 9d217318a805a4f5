import type { LiveRow } from '../harness/live-table.ts'
import { type OperationRecord, Traffic, type TrafficCount } from '../harness/traffic.ts'
import { type ClientEvent, startWorker, type Worker } from '../harness/worker.ts'
import type { ClientSetup, ClientUnderTest } from './clients.ts'
import { isWrite, type Op, type OpKind } from './operation-log.ts'
import { accounts } from './tables.ts'

/** Operations in a second, of each kind. */
export type Rates = Readonly<Record<OpKind, number>>

type OpTraffic = Traffic<Omit<Op, keyof OperationRecord>>

/** Runs the operations of a client at steady rates. */
export function startTraffic(client: ClientUnderTest, rates: Rates): OpTraffic {
  const traffic: OpTraffic = new Traffic({ isWrite, explain: (error) => client.explain(error) })
  // A client that supports only inserts gets only those.
  const possible = client.more === undefined ? { ...noRates, insert: rates.insert } : rates
  traffic.start(possible, (kind) => begin(kind, client, traffic))
  return traffic
}

const noRates: Rates = { insert: 0, transfer: 0, read: 0, 'own-read': 0 }

function begin(kind: OpKind, client: ClientUnderTest, traffic: OpTraffic): Promise<unknown> {
  const { more } = client
  const deed = { kind, stale: false }
  switch (kind) {
    case 'insert':
      return traffic.note(deed, (id) => client.insert(id))
    case 'transfer':
      return traffic.note(deed, async (id) => more?.transfer(someTransfer(id)))
    case 'read':
      return traffic.note(deed, async () => more?.read(someAccount()))
    case 'own-read':
      return writeAndRead(client, traffic)
  }
}

async function writeAndRead(client: ClientUnderTest, traffic: OpTraffic): Promise<void> {
  const written = await traffic.note({ kind: 'insert', stale: false }, (id) => client.insert(id))
  if (written === undefined) return
  await traffic.note(
    { kind: 'own-read', stale: false },
    async () => client.more?.readOwn(written.id),
    (isSeen) => ({ kind: 'own-read', stale: isSeen === false }),
  )
}

function someAccount(): number {
  return Math.floor(Math.random() * accounts)
}

function someTransfer(id: number): { id: number; source: number; target: number; amount: number } {
  const source = someAccount()
  const target = (source + 1 + Math.floor(Math.random() * (accounts - 1))) % accounts
  return { id, source, target, amount: 1 + Math.floor(Math.random() * 10) }
}

/** Which client runs against what, at which rates. */
export interface ClientRunSetup extends Omit<ClientSetup, 'onEvent'> {
  readonly client: string
  readonly rates: Rates
}

/** The log of a client under test, from the first operation to the last. */
export interface ClientRunResult {
  readonly ops: readonly Op[]
  readonly events: readonly ClientEvent[]
}

/** A client at work in its own process. */
export type ClientRun = Worker<TrafficCount, ClientRunResult>

const clientProgram = new URL('./client-process.js', import.meta.url)

/** Starts a client and waits until it works. */
export function runClient(setup: ClientRunSetup): Promise<ClientRun> {
  return startWorker(setup.client, clientProgram, setup)
}

/** The progress of a client. */
export function progressOf(run: ClientRun): TrafficCount {
  return run.count() ?? { begun: 0, 'writes done': 0, 'reads done': 0, failed: 0 }
}

/** A client as a row of the live table. */
export function liveRow(run: ClientRun): LiveRow {
  return { name: run.name, alive: 'writes done', counters: () => Object.entries(progressOf(run)) }
}
