import type { Finished } from '../harness/worker-messages.ts'
import { type ContenderOutcome, type ContenderRun, runContender } from './contender-run.ts'
import { type Register, registerCount, registerPath } from './contents.ts'
import { judgeLeases, type LeaseVerdict } from './leases.ts'
import { witness } from './raw-session.ts'
import { type ReaderOutcome, type ReaderRun, runReader } from './reader-run.ts'
import { type RegistrantOutcome, type RegistrantRun, runRegistrant, serviceName } from './registrant-run.ts'
import { ProtectedStore } from './store.ts'

/** Everybody beside the client under traffic: contenders for a lock, many registrations, and who follows them. */
export interface Cast {
  readonly store: ProtectedStore
  readonly contenders: readonly ContenderRun[]
  readonly registrant: RegistrantRun
  readonly reader: ReaderRun
}

export interface CastSetup {
  readonly connect: string
  readonly sessionTimeoutMs: number
  /** The node below which everything of it is; it has to be there. */
  readonly root: string
  /** The registers that are cached. */
  readonly registers: string
}

/** How the cast fared. */
export interface CastVerdict {
  readonly leases: LeaseVerdict
  /** Where caches and view are not what a fresh read says, in words. */
  readonly differences: readonly string[]
  readonly registered: number
  readonly fewestInstances: number
  readonly emptyPicks: number
  /** How many of the cast's sessions were lost. */
  readonly sessionsLost: number
  readonly unhandled: readonly string[]
  /** What went through the states of a client, for each of the cast. */
  readonly states: Readonly<Record<string, readonly string[]>>
  readonly told: Readonly<
    Record<string, Finished<ContenderOutcome | RegistrantOutcome | ReaderOutcome>['events']>
  >
  readonly refusals: Readonly<Record<string, number>>
}

const contenderCount = 3
export const instanceCount = 50

// One contender keeps the lock for longer than a session lives, so that a fault meets a lease that nobody gives back;
// the others have it for a moment.
const shortHoldMs = 200

/** Starts the cast and waits until everybody is at work. */
export async function startCast({ root, registers, ...client }: CastSetup): Promise<Cast> {
  const store = await ProtectedStore.open()
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
export async function killCast({ store, contenders, registrant, reader }: Cast): Promise<void> {
  for (const run of [...contenders, registrant, reader]) run.kill()
  await store[Symbol.asyncDispose]()
}

/** Ends the cast politely, the readers first, and judges by what they saw and by a fresh read on a server. */
export async function judgeCast(
  { store, contenders, registrant, reader }: Cast,
  { endpoint, root, registers }: { readonly endpoint: string } & Pick<CastSetup, 'root' | 'registers'>,
): Promise<CastVerdict> {
  const read = await reader.stop(0)
  const fresh = await readFresh(endpoint, root, registers)
  const registering = await registrant.stop(0)
  const contending = await Promise.all(contenders.map((contender) => contender.stop(15_000)))
  const all = { registrant: registering, reader: read, ...named(contenders, contending) }
  const events = Object.values(all).flatMap((each) => each.events)
  return {
    leases: judgeLeases(
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
    told: mapped(all, (each) => each.events),
    refusals: summed(contending.map(({ refusals }) => refusals)),
  }
}

/** The states that a client went through. */
export function statesOf(events: RegistrantOutcome['events']): readonly string[] {
  return events.flatMap(({ name, facts }) => (name === 'state' ? [String(facts['state'])] : []))
}

interface Fresh {
  readonly instances: readonly string[]
  readonly registers: ReadonlyMap<string, Register>
}

function readFresh(endpoint: string, root: string, registers: string): Promise<Fresh> {
  return witness(endpoint, async (session) => {
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
