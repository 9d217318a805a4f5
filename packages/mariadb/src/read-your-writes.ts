import { type Clock, type Endpoint, formatEndpoint, type Verdict } from '@ha/core'
import { sameEndpoint, withDeadline } from '@ha/core/driver'
import type { MariadbConnection } from './driver/connection.ts'
import { classify, DriverError } from './driver/error-classification.ts'
import type { ResolvedCall } from './options/call-options.ts'
import type { OperationRunner } from './statement/operation-runner.ts'

/** How the servers replicate, and so how it is known what one of them has. */
type Topology = 'galera' | 'replication'

/** What this client has written, as far as a read has to know: the one place where reads and writes meet. */
export class ReadYourWrites {
  /** Whether writes are noted at all; in a replication it costs a pipelined question each. */
  readonly tracksWrites: boolean
  readonly #clock: Clock
  /** How the server of a connection replicates. */
  readonly topologyAt: (connection: MariadbConnection) => Topology
  readonly #gtidPosition = new GtidPosition()
  readonly #galeraWrites = new GaleraWrites()
  readonly #laggingUntilMs = new Map<string, number>()

  constructor(keeps: boolean, clock: Clock, topologyAt: (connection: MariadbConnection) => Topology) {
    this.tracksWrites = keeps
    this.#clock = clock
    this.topologyAt = topologyAt
  }

  /** Whether a read can be told how far the data has to be. */
  get knowsPosition(): boolean {
    return this.tracksWrites && this.#gtidPosition.known
  }

  /** Servers, as `host:port`, that had not caught up a moment ago. */
  lagging(): ReadonlySet<string> {
    const nowMs = this.#clock.now()
    for (const [name, untilMs] of this.#laggingUntilMs)
      if (untilMs <= nowMs) this.#laggingUntilMs.delete(name)
    return new Set(this.#laggingUntilMs.keys())
  }

  /**
   * Notes the write that was sent just before on the connection, whatever its answer is. Without `written`, whatever was
   * written there until now. Never rejects.
   */
  async noteWrite(connection: MariadbConnection, written?: Promise<unknown>): Promise<void> {
    if (!this.tracksWrites) return
    if (this.topologyAt(connection) === 'replication') return await this.#gtidPosition.note(connection)
    // One whose answer failed or was lost may have happened.
    await written?.then(ignore, ignore)
    this.#galeraWrites.note(connection.endpoint)
  }

  /** Notes that something may have been written through a connection that cannot be asked any more. */
  noteUnconfirmedWrite(connection: MariadbConnection): void {
    if (!this.tracksWrites) return
    if (this.topologyAt(connection) === 'replication') this.#gtidPosition.invalidate()
    else this.#galeraWrites.note(connection.endpoint)
  }

  /**
   * Waits on the connection until its server has all that this client wrote, `withinMs` at most; rejects with
   * {@link NotCaughtUp} when it has not by then, with {@link SyncWaitUnavailable}, and as the connection does.
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

  // A wait that is given up goes on at the server: the connection is busy, and is not lent again.
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
 * Waits until a Galera node has applied all that was committed in its cluster before: any read that waits will do. Rejects
 * with {@link NotCaughtUp} when the server's own patience is over, and with {@link SyncWaitUnavailable}, and as the connection does.
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

// What a node says when it has not caught up within `repl.causal_read_timeout`.
const lockWaitTimeout = 1205

// For so long a server that had not caught up is passed over without being asked again, in milliseconds.
const laggingForMs = 1_000

/** The server has not come as far as what this client wrote, within the time that there was. */
class NotCaughtUp extends Error {
  constructor(options?: ErrorOptions) {
    super('the server has not caught up with what this client wrote', options)
    this.name = 'NotCaughtUp'
  }
}

/**
 * A session on a Galera node that was reset never waits again, whatever `wsrep_sync_wait` says (10.11.19): the connection
 * is given up, and the read runs on another one.
 */
export class SyncWaitUnavailable extends Error {
  constructor() {
    super('the session was reset, and a read on it would not wait')
    this.name = 'Deaf'
  }
}

const ignore = (): void => undefined

/** Which server a read may go to: where nobody can say how far it has to be, only the one that takes the writes. */
export function readTarget(
  readYourWrites: ReadYourWrites,
  { route, consistency }: ResolvedCall,
): ResolvedCall['route'] {
  if (consistency === 'eventual') return route
  return consistency === 'strong' || !readYourWrites.knowsPosition ? 'primary' : route
}

/** Waits until the server of a connection has what a read must see; where it has not, the call goes to the primary. */
export async function ensureConsistency(
  readYourWrites: ReadYourWrites,
  runner: OperationRunner,
  connection: MariadbConnection,
  { consistency, timeoutMs }: ResolvedCall,
): Promise<void> {
  if (consistency === 'eventual') return
  const topology = readYourWrites.topologyAt(connection)
  if (consistency === 'strong' || !readYourWrites.knowsPosition) {
    // A node that takes the writes may still have to apply what was committed through another one.
    if (topology === 'galera') await waitUntilApplied(connection)
    return
  }
  // The one node that takes the writes is waited for as long as the call may last: no other would be sooner.
  const isLast = topology === 'galera' && runner.requiresSingleWriter
  try {
    await readYourWrites.catchUp(
      connection,
      isLast ? timeoutMs : Math.min(patienceMs[topology], timeoutMs / 4),
    )
  } catch (error) {
    // Not another one that may be as late: whoever takes the writes has them.
    if (error instanceof NotCaughtUp) {
      runner.avoid(connection.address)
      runner.requirePrimary()
    }
    throw error
  }
}

// Longer than a server in good health needs, in milliseconds; one that needs longer is passed over. To give up a wait
// costs a connection in a Galera cluster, and nothing in a replication.
const patienceMs: Readonly<Record<Topology, number>> = { galera: 1_000, replication: 250 }

const tryElsewhere: Verdict = { scope: 'call', effect: 'none', transient: true }

/** As the driver classifies, of reads: a server that lags or a session that cannot wait is no failure. */
export function classifyRead(error: unknown): Verdict {
  return error instanceof NotCaughtUp || error instanceof SyncWaitUnavailable ? tryElsewhere : classify(error)
}

/**
 * Which nodes of a Galera cluster have all that this client wrote: a node has what was written through it, and what was
 * written through others before a wait on it began that succeeded. Nothing else proves it. An acknowledgement may be that
 * of a statement that changed nothing, which the group never saw; and the nodes' own positions do not compare: one that
 * has joined again counts on from a lower number than the others (10.11, seen after each restart).
 */
export class GaleraWrites {
  // Counts what may have been written, so that it can be said what was before which wait.
  #count = 0
  /** By node, as `host:port`: the number of what was written there last. */
  readonly #written = new Map<string, number>()
  /** By node: the number of what had been written when the latest wait began that succeeded there. */
  readonly #waited = new Map<string, number>()

  /** Whether a read on this node sees everything without waiting. */
  isUpToDate(endpoint: Endpoint): boolean {
    const name = formatEndpoint(endpoint)
    const waited = this.#waited.get(name) ?? 0
    for (const [node, written] of this.#written) if (node !== name && written > waited) return false
    return true
  }

  /** Notes that something may have been written through a node; to be called when its end is known, whatever it is. */
  note(endpoint: Endpoint): void {
    this.#count += 1
    this.#written.set(formatEndpoint(endpoint), this.#count)
  }

  /** Runs a wait on a node, and notes what the node has when it succeeded. Rejects as the wait does. */
  async recordWait(endpoint: Endpoint, wait: () => Promise<void>): Promise<void> {
    const name = formatEndpoint(endpoint)
    const before = this.#count
    await wait()
    this.#waited.set(name, Math.max(before, this.#waited.get(name) ?? 0))
  }
}

/** How far the data of a primary with replicas was when this client wrote last, as far as it is known. */
class GtidPosition {
  #latest: NotedPosition | undefined
  // Counts the questions, so that it can be said which write came after which.
  #queries = 0
  // A write whose position could not be had: until a later one has one, only the writer is known to have seen it.
  #unknownSince: number | undefined
  readonly #last = new WeakMap<MariadbConnection, string>()

  /** Whether a read can be told how far the data has to be. */
  get known(): boolean {
    return this.#unknownSince === undefined
  }

  /** Asks for the position of the write before it on the connection; to be called right behind it. Never rejects. */
  async note(connection: MariadbConnection): Promise<void> {
    this.#queries += 1
    const begun = this.#queries
    try {
      const answer = await connection.run({ kind: 'text', sql: 'SELECT @@last_gtid AS gtid' })
      const gtid = answer.kind === 'rows' ? answer.rows[0]?.['gtid'] : undefined
      // A session that wrote nothing has no position, and one whose last statement wrote nothing has the one before.
      if (!isPosition(gtid) || this.#last.get(connection) === gtid) return
      this.#last.set(connection, gtid)
      this.#advance(gtid, begun, connection.endpoint)
    } catch {
      this.invalidate()
    }
  }

  /** Notes that something may have been written whose position nobody can be asked for. */
  invalidate(): void {
    this.#unknownSince = this.#queries
  }

  /** Resolves with true when the server has all that was noted, with false when it has not within `withinMs`. */
  async reached(connection: MariadbConnection, withinMs: number): Promise<boolean> {
    const latest = this.#latest
    // Who acknowledged it has it. A primary that follows nobody would be asked in vain: it applies nothing.
    if (latest === undefined || sameEndpoint(latest.writtenAt, connection.endpoint)) return true
    const sql = 'SELECT MASTER_GTID_WAIT(?, ?) AS reached'
    const answer = await connection.run({ kind: 'text', sql, args: [latest.gtid, withinMs / 1_000] })
    return answer.kind === 'rows' && Number(answer.rows[0]?.['reached']) === 0
  }

  #advance(gtid: Gtid, begun: number, writtenAt: Endpoint): void {
    if (this.#unknownSince !== undefined && begun > this.#unknownSince) this.#unknownSince = undefined
    const before = this.#latest
    // A write that began when the one before was known already is later, though its number be lower: then the history
    // that the higher one belonged to is gone.
    const follows = before === undefined || begun > before.notedAt
    if (follows || isLater(gtid, before.gtid)) this.#latest = { gtid, writtenAt, notedAt: this.#queries }
  }
}

interface NotedPosition {
  readonly gtid: Gtid
  readonly writtenAt: Endpoint
  /** How many questions had been asked when it was known. */
  readonly notedAt: number
}

/** How far the data had come after a write: `domain-server-sequence`, or several of them with commas. */
type Gtid = string

/** Whether a position is further than another one: of the same domain, with a higher sequence. */
export function isLater(a: Gtid, b: Gtid): boolean {
  const before = new Map(gtidParts(b).map(({ domain, sequence }) => [domain, sequence]))
  return gtidParts(a).some(({ domain, sequence }) => sequence > (before.get(domain) ?? -1n))
}

/** Whether a server gave a position at all: an empty one, or one of a session that wrote nothing, says nothing. */
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
