import { type Clock, type Endpoint, formatEndpoint, type Verdict } from '@ha/core'
import { sameEndpoint, withDeadline } from '@ha/core/driver'
import type { MariadbConnection } from './driver/connection.ts'
import { classify, DriverError } from './driver/error-classification.ts'
import type { ResolvedCall } from './options/call-options.ts'
import type { OperationRunner } from './statement/operation-runner.ts'

/** How the servers replicate. It decides how the position of a server is determined. */
type Topology = 'galera' | 'replication'

/** Tracks what this client has written, and makes reads wait for it. */
export class ReadYourWrites {
  /** Whether writes are tracked. In a replication topology each tracked write costs one pipelined query. */
  readonly tracksWrites: boolean
  readonly #clock: Clock
  /** The topology that the server of a connection belongs to. */
  readonly topologyAt: (connection: MariadbConnection) => Topology
  readonly #gtidPosition = new GtidPosition()
  readonly #galeraWrites = new GaleraWrites()
  readonly #laggingUntilMs = new Map<string, number>()

  constructor(keeps: boolean, clock: Clock, topologyAt: (connection: MariadbConnection) => Topology) {
    this.tracksWrites = keeps
    this.#clock = clock
    this.topologyAt = topologyAt
  }

  /** Whether the position that a read must wait for is known. */
  get knowsPosition(): boolean {
    return this.tracksWrites && this.#gtidPosition.known
  }

  /** The servers, as `host:port`, that failed to catch up within the last second. */
  lagging(): ReadonlySet<string> {
    const nowMs = this.#clock.now()
    for (const [name, untilMs] of this.#laggingUntilMs)
      if (untilMs <= nowMs) this.#laggingUntilMs.delete(name)
    return new Set(this.#laggingUntilMs.keys())
  }

  /**
   * Tracks the write that was sent last on the connection, whatever its answer; without `written`, everything written
   * on the connection so far. Never rejects.
   */
  async noteWrite(connection: MariadbConnection, written?: Promise<unknown>): Promise<void> {
    if (!this.tracksWrites) return
    if (this.topologyAt(connection) === 'replication') return await this.#gtidPosition.note(connection)
    // A write that failed or lost its answer may have happened.
    await written?.then(ignore, ignore)
    this.#galeraWrites.note(connection.endpoint)
  }

  /** Tracks a possible write on a connection that can no longer be queried. */
  noteUnconfirmedWrite(connection: MariadbConnection): void {
    if (!this.tracksWrites) return
    if (this.topologyAt(connection) === 'replication') this.#gtidPosition.invalidate()
    else this.#galeraWrites.note(connection.endpoint)
  }

  /**
   * Waits until the server of the connection has everything that this client wrote, at most `withinMs`. Rejects with
   * {@link NotCaughtUp} afterwards, with {@link SyncWaitUnavailable}, or with the error of the connection.
   */
  async catchUp(connection: MariadbConnection, withinMs: number): Promise<void> {
    try {
      if (this.topologyAt(connection) === 'galera') await this.#catchUpInGalera(connection, withinMs)
      else if (!(await this.#gtidPosition.reached(connection, withinMs))) throw new NotCaughtUp()
    } catch (error) {
      if (error instanceof NotCaughtUp)
        this.#laggingUntilMs.set(connection.address, this.#clock.now() + laggingForMs)
      throw error
    }
  }

  // A wait continues on the server after it is given up here: the connection stays busy and is not leased again.
  async #catchUpInGalera(connection: MariadbConnection, withinMs: number): Promise<void> {
    const { endpoint } = connection
    if (this.#galeraWrites.isUpToDate(endpoint)) return
    const expired = (): Error => new NotCaughtUp()
    await this.#galeraWrites.recordWait(endpoint, () =>
      withDeadline(this.#clock, { timeoutMs: withinMs, expired }, () => waitUntilApplied(connection)),
    )
  }
}

/**
 * Waits until a Galera node has applied everything committed in its cluster before. `wsrep_sync_wait` does this for
 * any read. Rejects with {@link NotCaughtUp} when the server's own timeout is over, with {@link SyncWaitUnavailable},
 * or with the error of the connection.
 */
async function waitUntilApplied(connection: MariadbConnection): Promise<void> {
  if (connection.wasReset) {
    connection.retire()
    throw new SyncWaitUnavailable()
  }
  try {
    await connection.run({ kind: 'text', sql: 'SET STATEMENT wsrep_sync_wait=1 FOR SELECT 1' })
  } catch (error) {
    throw error instanceof DriverError && error.errno === lockWaitTimeout
      ? new NotCaughtUp({ cause: error })
      : error
  }
}

// ER_LOCK_WAIT_TIMEOUT: the node has not caught up within `repl.causal_read_timeout`.
const lockWaitTimeout = 1205

// A server that failed to catch up is not tried again for this many milliseconds.
const laggingForMs = 1_000

/** The server has not applied the writes of this client within the time limit. */
class NotCaughtUp extends Error {
  constructor(options?: ErrorOptions) {
    super('the server has not caught up with the writes of this client', options)
    this.name = 'NotCaughtUp'
  }
}

/**
 * After a reset, a session on a Galera node ignores `wsrep_sync_wait` (observed with 10.11.19). The connection is
 * discarded, and the read runs on another one.
 */
export class SyncWaitUnavailable extends Error {
  constructor() {
    super('the session was reset and cannot wait for replication')
    this.name = 'Deaf'
  }
}

const ignore = (): void => undefined

/** The route of a read: the writer when the position to wait for is unknown. */
export function readTarget(
  readYourWrites: ReadYourWrites,
  { route, consistency }: ResolvedCall,
): ResolvedCall['route'] {
  if (consistency === 'eventual') return route
  return consistency === 'strong' || !readYourWrites.knowsPosition ? 'primary' : route
}

/**
 * Waits until the server of a connection has the data that a read must see. When it lags, the next attempt goes to
 * the writer.
 */
export async function ensureConsistency(
  readYourWrites: ReadYourWrites,
  runner: OperationRunner,
  connection: MariadbConnection,
  { consistency, timeoutMs }: ResolvedCall,
): Promise<void> {
  if (consistency === 'eventual') return
  const topology = readYourWrites.topologyAt(connection)
  if (consistency === 'strong' || !readYourWrites.knowsPosition) {
    // The node that receives writes may still have to apply transactions committed on another node.
    if (topology === 'galera') await waitUntilApplied(connection)
    return
  }
  // The single writer may take the whole time of the call: no other node would be faster.
  const isLast = topology === 'galera' && runner.requiresSingleWriter
  try {
    await readYourWrites.catchUp(
      connection,
      isLast ? timeoutMs : Math.min(catchUpTimeoutMs[topology], timeoutMs / 4),
    )
  } catch (error) {
    // The writer has the data; another replica may lag as well.
    if (error instanceof NotCaughtUp) {
      runner.avoid(connection.address)
      runner.requirePrimary()
    }
    throw error
  }
}

// The time in milliseconds within which a healthy server catches up. A wait that is given up costs a connection in
// Galera, and nothing in a replication topology.
const catchUpTimeoutMs: Readonly<Record<Topology, number>> = { galera: 1_000, replication: 250 }

const tryElsewhere: Verdict = { scope: 'call', effect: 'none', transient: true }

/**
 * The driver's classification, extended for reads: a server that lags or a session that cannot wait is not a failure
 * of the server.
 */
export function classifyRead(error: unknown): Verdict {
  return error instanceof NotCaughtUp || error instanceof SyncWaitUnavailable ? tryElsewhere : classify(error)
}

/**
 * Tracks which Galera nodes have everything that this client wrote. A node has what was written on it, and what was
 * written on other nodes before a successful wait on it began. Nothing else proves it: an acknowledgement may belong
 * to a statement that changed nothing, and the positions of nodes are not comparable, because a node that has
 * rejoined counts on from a lower number (10.11, observed after each restart).
 */
export class GaleraWrites {
  // Sequence number of possible writes, to order them against waits.
  #count = 0
  /** By node, as `host:port`: the number of the last write there. */
  readonly #written = new Map<string, number>()
  /** By node: the number of the last write before its latest successful wait began. */
  readonly #waited = new Map<string, number>()

  /** Whether a read on this node needs no wait. */
  isUpToDate(endpoint: Endpoint): boolean {
    const name = formatEndpoint(endpoint)
    const waited = this.#waited.get(name) ?? 0
    for (const [node, written] of this.#written) if (node !== name && written > waited) return false
    return true
  }

  /** Tracks a possible write on a node; called when the statement has ended, whatever its result. */
  note(endpoint: Endpoint): void {
    this.#count += 1
    this.#written.set(formatEndpoint(endpoint), this.#count)
  }

  /** Runs a wait on a node and records the result when it succeeds. Rejects with the error of the wait. */
  async recordWait(endpoint: Endpoint, wait: () => Promise<void>): Promise<void> {
    const name = formatEndpoint(endpoint)
    const before = this.#count
    await wait()
    this.#waited.set(name, Math.max(before, this.#waited.get(name) ?? 0))
  }
}

/** The GTID position of this client's last write on a primary with replicas, as far as it is known. */
class GtidPosition {
  #latest: NotedPosition | undefined
  // Sequence number of the position queries, to order writes.
  #queries = 0
  // Set by a write whose position is unknown: until a later position is known, only the writer is sure to have the
  // write.
  #unknownSince: number | undefined
  readonly #last = new WeakMap<MariadbConnection, string>()

  /** Whether the position that a read must wait for is known. */
  get known(): boolean {
    return this.#unknownSince === undefined
  }

  /** Queries the position of the preceding write on the connection; called right after that write. Never rejects. */
  async note(connection: MariadbConnection): Promise<void> {
    this.#queries += 1
    const begun = this.#queries
    try {
      const answer = await connection.run({ kind: 'text', sql: 'SELECT @@last_gtid AS gtid' })
      const gtid = answer.kind === 'rows' ? answer.rows[0]?.['gtid'] : undefined
      // A session that wrote nothing has no GTID; a session whose last statement wrote nothing repeats the previous
      // one.
      if (!isPosition(gtid) || this.#last.get(connection) === gtid) return
      this.#last.set(connection, gtid)
      this.#advance(gtid, begun, connection.endpoint)
    } catch {
      this.invalidate()
    }
  }

  /** Records a possible write whose position cannot be determined. */
  invalidate(): void {
    this.#unknownSince = this.#queries
  }

  /** Resolves with true when the server has all tracked writes, with false when it has not within `withinMs`. */
  async reached(connection: MariadbConnection, withinMs: number): Promise<boolean> {
    const latest = this.#latest
    // The server that acknowledged the write has it. MASTER_GTID_WAIT on a primary would wait in vain: a primary
    // applies nothing.
    if (latest === undefined || sameEndpoint(latest.writtenAt, connection.endpoint)) return true
    const sql = 'SELECT MASTER_GTID_WAIT(?, ?) AS reached'
    const answer = await connection.run({ kind: 'text', sql, args: [latest.gtid, withinMs / 1_000] })
    return answer.kind === 'rows' && Number(answer.rows[0]?.['reached']) === 0
  }

  #advance(gtid: Gtid, begun: number, writtenAt: Endpoint): void {
    if (this.#unknownSince !== undefined && begun > this.#unknownSince) this.#unknownSince = undefined
    const before = this.#latest
    // A write that began after the previous position was known is later, even with a lower sequence number: the
    // history of the higher number is gone.
    const follows = before === undefined || begun > before.notedAt
    if (follows || isLater(gtid, before.gtid)) this.#latest = { gtid, writtenAt, notedAt: this.#queries }
  }
}

interface NotedPosition {
  readonly gtid: Gtid
  readonly writtenAt: Endpoint
  /** The number of position queries at that time. */
  readonly notedAt: number
}

/** A GTID list: `domain-server-sequence`, comma-separated. */
type Gtid = string

/** Whether a position is ahead of another one: the same domain with a higher sequence number. */
export function isLater(a: Gtid, b: Gtid): boolean {
  const before = new Map(gtidParts(b).map(({ domain, sequence }) => [domain, sequence]))
  return gtidParts(a).some(({ domain, sequence }) => sequence > (before.get(domain) ?? -1n))
}

/** Whether a value is a position. The value is empty for a session that wrote nothing. */
export function isPosition(gtid: unknown): gtid is Gtid {
  return typeof gtid === 'string' && gtidParts(gtid).some(({ sequence }) => sequence > 0n)
}

interface GtidPart {
  readonly domain: string
  readonly sequence: bigint
}

function gtidParts(gtid: Gtid): readonly GtidPart[] {
  return gtid
    .split(',')
    .map((text) => text.trim())
    .flatMap((text) => {
      const match = /^(\d+)-\d+-(\d+)$/.exec(text)
      if (match === null) return []
      const [, domain = '', sequence = '0'] = match
      return [{ domain, sequence: BigInt(sequence) }]
    })
}
