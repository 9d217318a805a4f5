import type { EventFacts } from '../harness/client-event.ts'
import type { Failure } from '../harness/noted-op.ts'
import type { Mode } from './cluster.ts'
import type { Tables, Transfer } from './tables.ts'

/** What every contestant is given. */
export interface ContestantSetup {
  readonly mode: Mode
  /** `host:port` of each server, in the order in which they are to be tried. */
  readonly endpoints: readonly string[]
  readonly tables: Tables
  readonly connections: number
  readonly onEvent: (name: string, facts: EventFacts) => void
}

/** A client under test. Its calls reject with whatever the client rejects with. */
export interface Contestant {
  /** Writes one row; it commits by itself. */
  insert(id: number): Promise<unknown>
  explain(error: unknown): Failure
  /** What only some of them are asked for. */
  readonly more?: {
    transfer(transfer: Transfer): Promise<unknown>
    read(account: number): Promise<unknown>
    /** Whether the row that was written just now is to be seen. */
    readOwn(id: number): Promise<boolean>
  }
  close(): Promise<unknown>
}

/** A client library with its documented settings for a single writer that fails over. */
export interface ContestantMaker {
  readonly name: string
  /** Which settings, for the report. */
  readonly settings: string
  start(setup: ContestantSetup): Promise<Contestant>
}

/** A rejection of a client that does not say what happened: nobody knows. */
export function unknownFailure(error: unknown): Failure {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string }
  return { outcome: 'unknown', error: typeof code === 'string' ? code : (message ?? String(error)) }
}
