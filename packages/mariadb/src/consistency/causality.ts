import { type Clock, formatEndpoint, withDeadline } from '@ha/core'
import type { MariadbConnection } from '../driver/connection.ts'
import { GroupWrites } from './group-writes.ts'
import { Positions } from './positions.ts'

/** How the servers replicate, and so how it is known what one of them has. */
export type Topology = 'galera' | 'replication'

/** What this client has written, as far as a read has to know: the one place where reads and writes meet. */
export class Causality {
  /** Whether writes are noted at all; in a replication it costs a pipelined question each. */
  readonly keeps: boolean
  readonly #clock: Clock
  /** How the server of a connection replicates. */
  readonly topologyAt: (connection: MariadbConnection) => Topology
  readonly #positions = new Positions()
  readonly #group = new GroupWrites()
  readonly #lateUntilMs = new Map<string, number>()

  constructor(keeps: boolean, clock: Clock, topologyAt: (connection: MariadbConnection) => Topology) {
    this.keeps = keeps
    this.#clock = clock
    this.topologyAt = topologyAt
  }

  /** Whether a read can be told how far the data has to be. */
  get known(): boolean {
    return this.keeps && this.#positions.known
  }

  /** Servers, as `host:port`, that had not caught up a moment ago. */
  late(): ReadonlySet<string> {
    const nowMs = this.#clock.now()
    for (const [name, untilMs] of this.#lateUntilMs) if (untilMs <= nowMs) this.#lateUntilMs.delete(name)
    return new Set(this.#lateUntilMs.keys())
  }

  /**
   * Notes the write that was sent just before on the connection, and its answer. Without `written`, whatever was written
   * there until now. Never rejects.
   */
  async note(connection: MariadbConnection, written?: Promise<unknown>): Promise<void> {
    if (!this.keeps) return
    await (this.topologyAt(connection) === 'galera'
      ? this.#group.note(connection.endpoint, written)
      : this.#positions.note(connection))
  }

  /**
   * Waits on the connection until its server has all that this client wrote, `withinMs` at most; rejects with
   * {@link NotCaughtUp} when it has not by then.
   */
  async catchUp(connection: MariadbConnection, withinMs: number): Promise<void> {
    const isThere = await (this.topologyAt(connection) === 'galera'
      ? this.#inGroup(connection, withinMs)
      : this.#positions.reached(connection, withinMs)
    ).catch((cause: unknown) => {
      throw this.#notCaughtUp(connection, cause)
    })
    if (!isThere) throw this.#notCaughtUp(connection)
  }

  // A wait that is given up goes on at the server: the connection is busy, and is not lent again.
  async #inGroup(connection: MariadbConnection, withinMs: number): Promise<boolean> {
    if (this.#group.isWholeAt(connection.endpoint)) return true
    const expired = (): Error => new Error(`it has not applied everything after ${withinMs} ms`)
    await withDeadline(this.#clock, { timeoutMs: withinMs, expired }, () => untilApplied(connection))
    return true
  }

  #notCaughtUp({ endpoint }: MariadbConnection, cause?: unknown): NotCaughtUp {
    this.#lateUntilMs.set(formatEndpoint(endpoint), this.#clock.now() + lateForMs)
    return new NotCaughtUp(cause)
  }
}

/** Waits until a Galera node has applied all that was committed in its cluster before: any read that waits will do. */
export async function untilApplied(connection: MariadbConnection): Promise<void> {
  await connection.run({ kind: 'text', sql: 'SET STATEMENT wsrep_sync_wait=1 FOR SELECT 1' })
}

// For so long a server that had not caught up is passed over without being asked again, in milliseconds.
const lateForMs = 1_000

/** The server has not come as far as what this client wrote, within the time that there was. */
export class NotCaughtUp extends Error {
  constructor(cause: unknown) {
    super('the server has not caught up with what this client wrote', { cause })
    this.name = 'NotCaughtUp'
  }
}
