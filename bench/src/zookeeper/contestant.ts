import type { EventFacts } from '../harness/client-event.ts'
import type { Failure } from '../harness/noted-op.ts'
import type { Places } from './contents.ts'

/** What every contestant is given. */
export interface ContestantSetup {
  /** Connect string of all servers. */
  readonly connect: string
  readonly sessionTimeoutMs: number
  readonly places: Places
  /** A node that it holds for as long as its session lives. */
  readonly ephemeral: string
  /** A node that it watches for changes, again after each. */
  readonly watched: string
  /** `session` with its id, `watched` for each change, and whatever else it tells. */
  readonly onEvent: (name: string, facts: EventFacts) => void
}

/** A client under test. Its calls reject with whatever the client rejects with. */
export interface Contestant {
  /** Makes a node of this name below the creates. */
  create(id: number): Promise<unknown>
  /** Reads a register. */
  read(register: number): Promise<unknown>
  explain(error: unknown): Failure
  /** The server that it is attached to, as `host:port`, as far as it knows. */
  attachedTo(): string | undefined
  /** What only some of them are asked for. */
  readonly more?: {
    /** Makes a node that the server numbers, never two by one call. */
    sequence(id: number): Promise<unknown>
    versionOf(register: number): Promise<number>
    /** Writes a register that has this version, and resolves with the next one. */
    set(register: number, id: number, version: number): Promise<number>
  }
  close(): Promise<unknown>
}

/** A client library with its documented settings. */
export interface ContestantMaker {
  readonly name: string
  /** Which settings, for the report. */
  readonly settings: string
  start(setup: ContestantSetup): Promise<Contestant>
}
