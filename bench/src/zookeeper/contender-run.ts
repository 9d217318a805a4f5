import type { ClientEvent } from '../harness/client-event.ts'
import { startWorker, type Worker } from '../harness/worker.ts'

/** Who contends for which lock, and where it writes while it holds it. */
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
export interface Hold {
  readonly by: string
  readonly token: bigint
  readonly fromMs: number
  readonly validUntilMs: number
  /** When its signal fired, or when it was about to be given back. */
  readonly endedAtMs: number | undefined
}

/** What the first statement after a freeze of the process saw. */
export interface Thaw {
  readonly frozenMs: number
  readonly wasValid: boolean
}

export interface ContenderCount {
  readonly acquired: number
}

export interface ContenderOutcome {
  readonly holds: readonly Hold[]
  readonly thaws: readonly Thaw[]
  /** How often which error ended a wait for the lock. */
  readonly refusals: Readonly<Record<string, number>>
  readonly events: readonly ClientEvent[]
}

/** A process that takes the lock, writes, gives it back, and begins again. */
export type ContenderRun = Worker<ContenderCount, ContenderOutcome>

const program = new URL('./contender-process.js', import.meta.url)

/** Starts a contender and waits until its client is connected. */
export function runContender(setup: ContenderSetup): Promise<ContenderRun> {
  return startWorker(setup.name, program, setup)
}
