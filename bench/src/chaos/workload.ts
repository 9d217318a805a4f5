import type { Lab } from '@ha/bootstrap'
import type { Failure } from '../harness/traffic.ts'
import type { PublicCall } from './misuse.ts'

/** The part of the service that works on one system. */
export interface Workload {
  readonly system: string
  readonly lab: Lab
  /** Begins nothing any more, and waits for what is under way. */
  stop(): Promise<void>
  /** Compares what the callers were told with what the servers hold. */
  verify(): Promise<Verdict>
  /** The connections that were lost so far, as the client reports them. */
  losses(): number | Promise<number>
  /** Every public call with right arguments, on this client. */
  readonly calls: readonly PublicCall[]
  close(): Promise<void>
}

/** What the servers hold, against what the callers were told. */
export interface Verdict {
  readonly operations: number
  readonly done: number
  readonly notDone: number
  readonly unknown: number
  readonly unsettled: number
  /** Reported as done, and missing. */
  readonly lost: number
  /** Reported as not done, and there. */
  readonly wronglyNotDone: number
  /** There more than once although the caller was not told so. */
  readonly twice: number
}

/** The outcome of a rejection, in terms common to all systems. */
export function outcomeOf(error: unknown): Failure {
  const { outcome, code, message } = error as {
    readonly outcome?: unknown
    readonly code?: unknown
    readonly message?: string
  }
  if (outcome !== 'not-done' && outcome !== 'unknown')
    return { outcome: 'unknown', error: `without an outcome: ${message ?? String(error)}` }
  return { outcome, error: String(code) }
}
