import { setTimeout as sleep } from 'node:timers/promises'
import type { LiveRow } from '../harness/live-table.ts'
import { type OperationRecord, Traffic, type TrafficCount } from '../harness/traffic.ts'
import { type ClientEvent, startWorker, type Worker } from '../harness/worker.ts'
import type { ClientAdapter, ClientSetup, ClientUnderTest } from './clients.ts'
import { registerCount } from './contents.ts'
import { isWrite, type Op, type OpKind } from './operation-log.ts'

/** Operations in a second, of each kind. */
export type Rates = Readonly<Record<OpKind, number>>

type OpTraffic = Traffic<Omit<Op, keyof OperationRecord>>

/** The version of each register that is not being written; undefined when it has to be looked up. */
type IdleRegisters = Map<number, number | undefined>

/** Runs the operations of a client at steady rates. */
export function startTraffic(client: ClientUnderTest, rates: Rates): OpTraffic {
  const traffic: OpTraffic = new Traffic({ isWrite, explain: (error) => client.explain(error) })
  const idle: IdleRegisters = new Map(Array.from({ length: registerCount }, (_, i) => [i, undefined]))
  // A client that supports only creates and reads gets only those.
  const possible = client.more === undefined ? { ...rates, sequence: 0, set: 0 } : rates
  traffic.start(possible, (kind) => begin(kind, { client, traffic, idle }))
  return traffic
}

interface Work {
  readonly client: ClientUnderTest
  readonly traffic: OpTraffic
  readonly idle: IdleRegisters
}

function begin(kind: OpKind, work: Work): Promise<unknown> {
  const { client, traffic } = work
  const deed = { kind, register: undefined }
  switch (kind) {
    case 'create':
      return traffic.note(deed, (id) => client.create(id))
    case 'sequence':
      return traffic.note(deed, async (id) => client.more?.sequence(id))
    case 'read':
      return traffic.note(deed, () => client.read(Math.floor(Math.random() * registerCount)))
    case 'set':
      return setOne(work)
  }
}

// One after the other for each register: when all are being written, there is nothing to begin.
async function setOne({ client: { more }, traffic, idle }: Work): Promise<void> {
  const [first] = idle
  if (more === undefined || first === undefined) return
  const [register, known] = first
  idle.delete(register)
  const read = { kind: 'read', register: undefined } as const
  const version = known ?? (await traffic.note(read, () => more.versionOf(register)))?.result
  // Who cannot read it will try again when its turn comes.
  const next =
    version === undefined
      ? undefined
      : await traffic.note({ kind: 'set', register }, (id) => more.set(register, id, version))
  idle.set(register, next?.result)
}

/** Which client runs against what, at which rates, and where it is attached first. */
export interface ClientRunSetup extends Omit<ClientSetup, 'onEvent'> {
  readonly client: string
  readonly rates: Rates
  readonly attachment: Attachment
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

/** Where a client is to be attached when it begins: at this server, or anywhere but there. */
interface Attachment {
  /** `host:port`. */
  readonly endpoint: string
  readonly isAttached: boolean
}

// Each begins with a server by chance: one in three is the wanted one.
const maxStarts = 60

/** Starts a client again and again until it is attached where it is wanted; only the last one is heard. */
export async function startAttachedTo(
  maker: ClientAdapter,
  setup: ClientSetup,
  attachment: Attachment,
): Promise<ClientUnderTest> {
  for (let start = 0; start < maxStarts; start++) {
    const events: Parameters<ClientSetup['onEvent']>[] = []
    let isWanted = false
    const onEvent: ClientSetup['onEvent'] = (...event) => {
      if (isWanted) setup.onEvent(...event)
      else events.push(event)
    }
    const client = await maker.start({ ...setup, ephemeral: `${setup.ephemeral}-${start}`, onEvent })
    if (((await waitForAttachment(client)) === attachment.endpoint) === attachment.isAttached) {
      isWanted = true
      for (const event of events) setup.onEvent(...event)
      return client
    }
    await client.close()
  }
  const where = `${attachment.isAttached ? 'to' : 'away from'} ${attachment.endpoint}`
  throw new Error(`${maker.name} was not attached ${where} in ${maxStarts} starts`)
}

// Who lives in another process says so a moment later.
async function waitForAttachment(client: ClientUnderTest): Promise<string> {
  for (;;) {
    const endpoint = client.attachedTo()
    if (endpoint !== undefined) return endpoint
    await sleep(50)
  }
}
