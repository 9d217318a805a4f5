import { type ClientEvent, startWorker, type Worker } from '../harness/worker.ts'
import type { Register } from './contents.ts'

/** Which lock to contend for, and where to write while it is held. */
export interface ContenderSetup {
  readonly name: string
  readonly connect: string
  readonly sessionTimeoutMs: number
  readonly lock: string
  readonly storePort: number
  /** For how long it keeps the lock each time, unless it loses it. */
  readonly holdMs: number
}

/** A lease, from the moment at which it was had to the last one at which it was held to be valid. */
export interface LeaseRecord {
  readonly by: string
  readonly token: bigint
  readonly fromMs: number
  readonly validUntilMs: number
  /** When its signal fired, or when it was about to be given back. */
  readonly endedAtMs: number | undefined
}

/** What the first statement after a freeze of the process saw. */
export interface ThawRecord {
  readonly frozenMs: number
  readonly wasValid: boolean
}

export interface ContenderCount {
  readonly acquired: number
}

export interface ContenderOutcome {
  readonly holds: readonly LeaseRecord[]
  readonly thaws: readonly ThawRecord[]
  /** How often which error ended a wait for the lock. */
  readonly refusals: Readonly<Record<string, number>>
  readonly events: readonly ClientEvent[]
}

/** A process that takes the lock, writes, gives it back, and begins again. */
export type ContenderRun = Worker<ContenderCount, ContenderOutcome>

const contenderProgram = new URL('./contender-process.js', import.meta.url)

/** Starts a contender and waits until its client is connected. */
export function runContender(setup: ContenderSetup): Promise<ContenderRun> {
  return startWorker(setup.name, contenderProgram, setup)
}

/** Who registers how many instances of the service `gateway`. */
export interface RegistrantSetup {
  readonly connect: string
  readonly sessionTimeoutMs: number
  readonly basePath: string
  readonly instances: number
}

export interface RegistrantCount {
  readonly registered: number
}

export interface RegistrantOutcome {
  /** `registered` whenever all of them are, beside those of the client. */
  readonly events: readonly ClientEvent[]
  /** How many are registered at the end. */
  readonly registered: number
}

/** A process whose client registers many instances. */
export type RegistrantRun = Worker<RegistrantCount, RegistrantOutcome>

/** The service that all of them are instances of. */
export const serviceName = 'gateway'

const registrantProgram = new URL('./registrant-process.js', import.meta.url)

/** Starts a registrant and waits until all its instances are registered. */
export function runRegistrant(setup: RegistrantSetup): Promise<RegistrantRun> {
  return startWorker('registrant', registrantProgram, setup)
}

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
  /** How often a pick found no instance. */
  readonly emptyPicks: number
  /** What the cache of the registers holds, by path. */
  readonly registers: ReadonlyMap<string, Register>
  readonly isStale: boolean
}

/** A process whose client has a view of the service and a cache of the registers. */
export type ReaderRun = Worker<ReaderCount, ReaderOutcome>

const readerProgram = new URL('./reader-process.js', import.meta.url)

/** Starts a reader and waits until it has read everything once. */
export function runReader(setup: ReaderSetup): Promise<ReaderRun> {
  return startWorker('reader', readerProgram, setup)
}

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

const watcherProgram = new URL('./watcher-process.js', import.meta.url)

/** Starts a watcher and waits until it has read the list. */
export function runWatcher(setup: WatcherSetup): Promise<WatcherRun> {
  return startWorker('watcher', watcherProgram, setup)
}
