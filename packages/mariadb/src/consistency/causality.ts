import { type Clock, type Endpoint, formatEndpoint, sameEndpoint } from '@ha/core'
import type { MariadbConnection } from '../driver/connection.ts'
import { type CausalToken, isLater, isPosition } from './gtid.ts'

/** How a server names the position of its data. */
export type Topology = CausalToken['kind']

/** What this client has written, as far as a read has to know: the one place where reads and writes meet. */
export class Causality {
  /** Whether writes note their position at all; it costs a pipelined question each. */
  readonly keeps: boolean
  readonly #clock: Clock
  /** How the server of a connection names positions. */
  readonly topologyAt: (connection: MariadbConnection) => Topology
  #latest: Position | undefined
  // Counts the questions, so that it can be said which write came after which.
  #asked = 0
  // A write whose position could not be had: until a later one has one, only the writer is known to have seen it.
  #blindSince: number | undefined
  readonly #last = new WeakMap<MariadbConnection, string>()
  readonly #lateUntilMs = new Map<string, number>()

  constructor(keeps: boolean, clock: Clock, topologyAt: (connection: MariadbConnection) => Topology) {
    this.keeps = keeps
    this.#clock = clock
    this.topologyAt = topologyAt
  }

  /** Whether a read can be told how far the data has to be. */
  get known(): boolean {
    return this.keeps && this.#blindSince === undefined
  }

  /** Servers, as `host:port`, that had not caught up a moment ago. */
  late(): ReadonlySet<string> {
    const nowMs = this.#clock.now()
    for (const [name, untilMs] of this.#lateUntilMs) if (untilMs <= nowMs) this.#lateUntilMs.delete(name)
    return new Set(this.#lateUntilMs.keys())
  }

  /** Notes the position of the write before it on the connection; to be asked right behind it. Never rejects. */
  async note(connection: MariadbConnection): Promise<void> {
    if (!this.keeps) return
    this.#asked += 1
    const begun = this.#asked
    const kind = this.topologyAt(connection)
    try {
      const answer = await connection.run({ kind: 'text', sql: positionOf[kind] })
      const gtid = answer.kind === 'rows' ? textOf(answer.rows[0]?.['gtid']) : undefined
      // A session that wrote nothing has no position, and one whose last statement wrote nothing has the one before.
      if (!isPosition(gtid) || this.#last.get(connection) === gtid) return
      this.#last.set(connection, gtid)
      this.#advance({ kind, gtid }, begun, connection.endpoint)
    } catch {
      this.#blindSince = this.#asked
    }
  }

  /**
   * Waits on the connection until its server has all that this client wrote, `withinMs` at most; rejects with
   * {@link NotCaughtUp} when it has not by then.
   */
  async catchUp(connection: MariadbConnection, withinMs: number): Promise<void> {
    const latest = this.#latest
    // Who acknowledged it has it. A primary that follows nobody would be asked in vain: it applies nothing.
    if (latest === undefined || sameEndpoint(latest.writtenAt, connection.endpoint)) return
    const { kind, gtid } = latest.token
    // Galera counts in whole seconds: a fraction waits not at all.
    const seconds = kind === 'galera' ? Math.max(1, Math.round(withinMs / 1_000)) : withinMs / 1_000
    const answer = await connection
      .run({ kind: 'text', sql: waitFor[kind], args: [gtid, seconds] })
      .catch((cause: unknown) => {
        throw this.#notCaughtUp(connection, cause)
      })
    const row = answer.kind === 'rows' ? answer.rows[0] : undefined
    if (Number(row?.['reached']) !== reached[kind]) throw this.#notCaughtUp(connection, row)
  }

  #notCaughtUp({ endpoint }: MariadbConnection, cause: unknown): NotCaughtUp {
    this.#lateUntilMs.set(formatEndpoint(endpoint), this.#clock.now() + lateForMs)
    return new NotCaughtUp(cause)
  }

  #advance(token: CausalToken, begun: number, writtenAt: Endpoint): void {
    if (this.#blindSince !== undefined && begun > this.#blindSince) this.#blindSince = undefined
    const before = this.#latest
    // A write that began when the one before was known already is later, though its number be lower: then the history
    // that the higher one belonged to is gone.
    const follows = before === undefined || begun > before.notedAt
    if (follows || isLater(token, before.token)) this.#latest = { token, writtenAt, notedAt: this.#asked }
  }
}

interface Position {
  readonly token: CausalToken
  readonly writtenAt: Endpoint
  /** How many questions had been asked when it was known. */
  readonly notedAt: number
}

// For so long a server that had not caught up is passed over without being asked again, in milliseconds.
const lateForMs = 1_000

// Galera gives its position as a binary string, which the driver gives as bytes.
function textOf(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value
}

const positionOf: Readonly<Record<Topology, string>> = {
  galera: 'SELECT WSREP_LAST_WRITTEN_GTID() AS gtid',
  replication: 'SELECT @@last_gtid AS gtid',
}

const waitFor: Readonly<Record<Topology, string>> = {
  galera: 'SELECT WSREP_SYNC_WAIT_UPTO_GTID(?, ?) AS reached',
  replication: 'SELECT MASTER_GTID_WAIT(?, ?) AS reached',
}

// What the two functions return when the position was reached.
const reached: Readonly<Record<Topology, number>> = { galera: 1, replication: 0 }

/** The server has not come as far as what this client wrote, within the time that there was. */
export class NotCaughtUp extends Error {
  constructor(cause: unknown) {
    super('the server has not caught up with what this client wrote', { cause })
    this.name = 'NotCaughtUp'
  }
}
