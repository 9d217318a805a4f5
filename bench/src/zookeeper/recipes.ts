import type { WorkerResult } from '../harness/worker.ts'
import { type Register, registerCount, registerPath } from './contents.ts'
import { FencedStore, type StoreWrite } from './fenced-store.ts'
import { readReliably } from './raw-session.ts'
import {
  type ContenderOutcome,
  type ContenderRun,
  type LeaseRecord,
  type ReaderOutcome,
  type ReaderRun,
  type RegistrantOutcome,
  type RegistrantRun,
  runContender,
  runReader,
  runRegistrant,
  serviceName,
  type ThawRecord,
} from './recipe-clients.ts'

/** The recipes under load beside the client: contenders for a lock, many registrations, and a reader of both. */
export interface RecipeWorkload {
  readonly store: FencedStore
  readonly contenders: readonly ContenderRun[]
  readonly registrant: RegistrantRun
  readonly reader: ReaderRun
}

interface RecipeSetup {
  readonly connect: string
  readonly sessionTimeoutMs: number
  /** The node below which everything of it is; it has to be there. */
  readonly root: string
  /** The registers that are cached. */
  readonly registers: string
}

/** The results of the recipes. */
export interface RecipeVerdict {
  readonly leases: LeaseVerdict
  /** Where caches and view are not what a fresh read says, in words. */
  readonly differences: readonly string[]
  readonly registered: number
  readonly fewestInstances: number
  readonly emptyPicks: number
  /** How many sessions of the recipe clients were lost. */
  readonly sessionsLost: number
  readonly unhandled: readonly string[]
  /** The states that each recipe client went through. */
  readonly states: Readonly<Record<string, readonly string[]>>
  readonly events: Readonly<
    Record<string, WorkerResult<ContenderOutcome | RegistrantOutcome | ReaderOutcome>['events']>
  >
  readonly refusals: Readonly<Record<string, number>>
}

const contenderCount = 3
export const instanceCount = 50

// One contender keeps the lock for longer than a session lives, so that a fault meets a lease that is not released;
// the others have it for a moment.
const shortHoldMs = 200

/** Starts all recipe clients and waits until they are ready. */
export async function startRecipes({ root, registers, ...client }: RecipeSetup): Promise<RecipeWorkload> {
  const store = await FencedStore.open()
  const basePath = `${root}/services`
  const registrant = await runRegistrant({ ...client, basePath, instances: instanceCount })
  const reader = await runReader({ ...client, basePath, registers })
  const contenders = await Promise.all(
    Array.from({ length: contenderCount }, (_, i) =>
      runContender({
        ...client,
        name: `contender ${i + 1}`,
        lock: `${root}/lock`,
        storePort: store.port,
        holdMs: i === 0 ? 2 * client.sessionTimeoutMs : shortHoldMs,
      }),
    ),
  )
  return { store, contenders, registrant, reader }
}

/** Ends every process of it at once. */
export async function killRecipes({ store, contenders, registrant, reader }: RecipeWorkload): Promise<void> {
  for (const run of [...contenders, registrant, reader]) run.kill()
  await store[Symbol.asyncDispose]()
}

/** Stops the recipe clients, the readers first, and checks what they saw and a fresh read on a server. */
export async function checkRecipes(
  { store, contenders, registrant, reader }: RecipeWorkload,
  { endpoint, root, registers }: { readonly endpoint: string } & Pick<RecipeSetup, 'root' | 'registers'>,
): Promise<RecipeVerdict> {
  const read = await reader.stop(0)
  const fresh = await readFresh(endpoint, root, registers)
  const registering = await registrant.stop(0)
  const contending = await Promise.all(contenders.map((contender) => contender.stop(15_000)))
  const all = { registrant: registering, reader: read, ...named(contenders, contending) }
  const events = Object.values(all).flatMap((each) => each.events)
  return {
    leases: checkLeases(
      contending.flatMap(({ holds }) => holds),
      store.writes,
      contending.flatMap(({ thaws }) => thaws),
    ),
    differences: differencesOf(read, fresh),
    registered: registering.registered,
    fewestInstances: read.fewestInstances,
    emptyPicks: read.emptyPicks,
    sessionsLost: events.filter(({ name }) => name === 'session lost').length,
    unhandled: Object.values(all).flatMap((each) => each.unhandled),
    states: mapped(all, (each) => statesOf(each.events)),
    events: mapped(all, (each) => each.events),
    refusals: summed(contending.map(({ refusals }) => refusals)),
  }
}

/** The states that a client went through. */
function statesOf(events: RegistrantOutcome['events']): readonly string[] {
  return events.flatMap(({ name, facts }) => (name === 'state' ? [String(facts['state'])] : []))
}

interface Fresh {
  readonly instances: readonly string[]
  readonly registers: ReadonlyMap<string, Register>
}

function readFresh(endpoint: string, root: string, registers: string): Promise<Fresh> {
  return readReliably(endpoint, async (session) => {
    await session.sync()
    const instances = await session.children(`${root}/services/${serviceName}`)
    const paths = Array.from({ length: registerCount }, (_, index) => registerPath({ registers }, index))
    const nodes = await Promise.all(
      paths.map(async (path) => {
        const node = await session.get(path)
        return [path, { version: node?.version ?? -1, data: node?.data.toString() ?? '' }] as const
      }),
    )
    return { instances: [...instances].sort(), registers: new Map(nodes) }
  })
}

function differencesOf(read: ReaderOutcome, fresh: Fresh): readonly string[] {
  const registers = [...fresh.registers].flatMap(([path, { version, data }]) => {
    const cached = read.registers.get(path)
    return cached?.version === version && cached.data === data
      ? []
      : [`${path} is ${version} and was ${cached?.version} in the cache`]
  })
  const listed = `${read.instances.length} instances in the view, ${fresh.instances.length} registered`
  const isSame = JSON.stringify(read.instances) === JSON.stringify(fresh.instances)
  return [...registers, ...(isSame ? [] : [listed]), ...(read.isStale ? ['it says that it is stale'] : [])]
}

function named<T>(
  runs: readonly { readonly name: string }[],
  values: readonly T[],
): Readonly<Record<string, T>> {
  return Object.fromEntries(runs.map(({ name }, i) => [name, values[i] as T]))
}

function mapped<T, U>(all: Readonly<Record<string, T>>, of: (each: T) => U): Readonly<Record<string, U>> {
  return Object.fromEntries(Object.entries(all).map(([name, each]) => [name, of(each)]))
}

function summed(counts: readonly Readonly<Record<string, number>>[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const [name, count] of counts.flatMap((each) => Object.entries(each)))
    sums[name] = (sums[name] ?? 0) + count
  return sums
}

/** What became of a lock that several contended for. */
interface LeaseVerdict {
  readonly acquired: number
  readonly writes: number
  /** Pairs of leases that were held to be valid at one instant. */
  readonly overlaps: number
  /** Writes of a valid lease that the store rejected. */
  readonly rejectedValid: number
  /** Writes of a lease after those of a later one that the store accepted. */
  readonly acceptedStale: number
  /** Writes of a lease after those of a later one that the store rejected. */
  readonly rejectedStale: number
  /** Leases whose signal had not fired when the next one was had. */
  readonly signalledLate: number
  readonly thaws: readonly ThawRecord[]
}

/** Decides by what the store and the contenders saw. */
export function checkLeases(
  holds: readonly LeaseRecord[],
  writes: readonly StoreWrite[],
  thaws: readonly ThawRecord[],
): LeaseVerdict {
  const inOrder = [...holds].sort((a, b) => (a.token < b.token ? -1 : 1))
  const pairs = inOrder.slice(1).map((next, i) => [inOrder[i] ?? next, next] as const)
  const stale = staleWrites(holds, writes)
  return {
    acquired: holds.length,
    writes: writes.length,
    overlaps: overlapsOf(holds),
    rejectedValid: writes.filter(({ isClaimed, isAccepted }) => isClaimed && !isAccepted).length,
    acceptedStale: stale.filter(({ isAccepted }) => isAccepted).length,
    rejectedStale: stale.filter(({ isAccepted }) => !isAccepted).length,
    signalledLate: pairs.filter(([before, next]) => isLate(before, next)).length,
    thaws,
  }
}

// Each with each: one that went on for too long may overlap more than its neighbour.
function overlapsOf(holds: readonly LeaseRecord[]): number {
  const byStart = [...holds].sort((a, b) => a.fromMs - b.fromMs)
  let overlaps = 0
  for (const [i, one] of byStart.entries()) {
    for (const other of byStart.slice(i + 1)) {
      if (other.fromMs > one.validUntilMs) break
      overlaps += 1
    }
  }
  return overlaps
}

function isLate(before: LeaseRecord, next: LeaseRecord): boolean {
  return (before.endedAtMs ?? Number.POSITIVE_INFINITY) > next.fromMs
}

// By when the leases were had, not by their tokens, which are on trial: the store goes by nothing else.
function staleWrites(holds: readonly LeaseRecord[], writes: readonly StoreWrite[]): readonly StoreWrite[] {
  const hadAtMs = new Map(holds.map(({ token, fromMs }) => [token, fromMs]))
  let latestMs = Number.NEGATIVE_INFINITY
  return writes.filter(({ token }) => {
    const fromMs = hadAtMs.get(token) ?? Number.NEGATIVE_INFINITY
    const isStale = fromMs < latestMs
    if (!isStale) latestMs = fromMs
    return isStale
  })
}
