import { type Clock, formatEndpoint } from '@ha/core'
import { withDeadline } from '@ha/core/driver'
import type { MariadbConnection } from '../driver/connection.ts'
import { DriverError } from '../driver/driver-error.ts'
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
   * Notes the write that was sent just before on the connection, whatever its answer is. Without `written`, whatever was
   * written there until now. Never rejects.
   */
  async note(connection: MariadbConnection, written?: Promise<unknown>): Promise<void> {
    if (!this.keeps) return
    if (this.topologyAt(connection) === 'replication') return await this.#positions.note(connection)
    // One whose answer failed or was lost may have happened.
    await written?.then(ignore, ignore)
    this.#group.note(connection.endpoint)
  }

  /** Notes that something may have been written through a connection that cannot be asked any more. */
  noteUnasked(connection: MariadbConnection): void {
    if (!this.keeps) return
    if (this.topologyAt(connection) === 'replication') this.#positions.lose()
    else this.#group.note(connection.endpoint)
  }

  /**
   * Waits on the connection until its server has all that this client wrote, `withinMs` at most; rejects with
   * {@link NotCaughtUp} when it has not by then, with {@link Deaf}, and as the connection does.
   */
  async catchUp(connection: MariadbConnection, withinMs: number): Promise<void> {
    try {
      if (this.topologyAt(connection) === 'galera') await this.#inGroup(connection, withinMs)
      else if (!(await this.#positions.reached(connection, withinMs))) throw new NotCaughtUp()
    } catch (error) {
      if (error instanceof NotCaughtUp)
        this.#lateUntilMs.set(formatEndpoint(connection.endpoint), this.#clock.now() + lateForMs)
      throw error
    }
  }

  // A wait that is given up goes on at the server: the connection is busy, and is not lent again.
  async #inGroup(connection: MariadbConnection, withinMs: number): Promise<void> {
    const { endpoint } = connection
    if (this.#group.isWholeAt(endpoint)) return
    const expired = (): Error => new NotCaughtUp()
    await this.#group.waitedAt(endpoint, () =>
      withDeadline(this.#clock, { timeoutMs: withinMs, expired }, () => untilApplied(connection)),
    )
  }
}

/**
 * Waits until a Galera node has applied all that was committed in its cluster before: any read that waits will do. Rejects
 * with {@link NotCaughtUp} when the server's own patience is over, and with {@link Deaf}, and as the connection does.
 */
export async function untilApplied(connection: MariadbConnection): Promise<void> {
  if (connection.wasReset) {
    connection.spoil()
    throw new Deaf()
  }
  try {
    await connection.run({ kind: 'text', sql: 'SET STATEMENT wsrep_sync_wait=1 FOR SELECT 1' })
  } catch (error) {
    throw error instanceof DriverError && error.errno === lockWaitTimeout
      ? new NotCaughtUp({ cause: error })
      : error
  }
}

// What a node says when it has not caught up within `repl.causal_read_timeout`.
const lockWaitTimeout = 1205

// For so long a server that had not caught up is passed over without being asked again, in milliseconds.
const lateForMs = 1_000

/** The server has not come as far as what this client wrote, within the time that there was. */
export class NotCaughtUp extends Error {
  constructor(options?: ErrorOptions) {
    super('the server has not caught up with what this client wrote', options)
    this.name = 'NotCaughtUp'
  }
}

/**
 * A session on a Galera node that was reset never waits again, whatever `wsrep_sync_wait` says (10.11.19): the connection
 * is given up, and the read runs on another one.
 */
export class Deaf extends Error {
  constructor() {
    super('the session was reset, and a read on it would not wait')
    this.name = 'Deaf'
  }
}

const ignore = (): void => undefined
