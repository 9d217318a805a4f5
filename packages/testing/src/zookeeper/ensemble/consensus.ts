import { createHash } from 'node:crypto'
import type { Clock } from '@ha/core'
import type { ConnectionOrigin } from '../../server/rules.ts'
import type { CommitResult, ConnectionSession, WriteSubmission } from '../protocol/server.ts'
import { DataTree, type Txn } from '../tree/data-tree.ts'
import { parentOf } from '../tree/path.ts'
import { type Effect, prepareMulti, prepareWrite, TransactionDraft } from '../tree/transaction.ts'
import { errorCode, KeeperException } from '../wire/errors.ts'
import type { Quorum } from './quorum.ts'

/** What the consensus needs from its ensemble. */
interface ConsensusDeps extends SessionLimits {
  readonly quorum: Quorum
  /** A transaction was committed. */
  readonly onCommitted: () => void
}

/** The committed state: the tree, the sessions, and all transactions in order. Only the leader changes it. */
export class Consensus {
  readonly tree: DataTree = new DataTree()
  readonly sessions: SessionTracker
  readonly #deps: ConsensusDeps
  readonly #log: Txn[] = []
  #term = 0
  #counter = 0n

  constructor(deps: ConsensusDeps) {
    this.#deps = deps
    this.sessions = new SessionTracker(deps, (id) => this.endSession(id))
  }

  /** All transactions, in order. */
  get log(): readonly Txn[] {
    return this.#log
  }

  /**
   * Resolves with true as soon as the quorum can commit for a node, and with false when the node leaves the quorum, or the
   * quorum loses its leader, before that: the request is lost. A request of a node that is cut off arrives when the node is
   * connected again.
   */
  async waitForQuorum(node: number): Promise<boolean> {
    const { quorum } = this.#deps
    while (quorum.isMember(node) && !quorum.reaches(node)) await quorum.changed()
    return quorum.isMember(node)
  }

  /** Begins a session. */
  openSession(askedMs: number, at: ConnectionOrigin): Session {
    const session = this.sessions.open(askedMs, at)
    this.#commit(this.#draft(), { session: session.id })
    return session
  }

  /** Ends a session and all its nodes. */
  endSession(id: bigint): CommitResult {
    const draft = this.#draft()
    for (const path of this.tree.ownedBy(id)) remove(draft, path)
    this.sessions.end(id)
    return { kind: 'done', zxid: this.#commit(draft, { session: id, ended: id }), effects: [] }
  }

  /** Throws -112 when the session is over, and -118 when it is on another connection. */
  checkSession({ session: id, connection }: ConnectionSession): void {
    const session = this.sessions.find(id)
    if (session === undefined) throw new KeeperException(errorCode.sessionExpired)
    if (session.connection !== connection) throw new KeeperException(errorCode.sessionMoved)
  }

  /** Executes a write and commits it. Throws -112 or -118 when the session is over or on another connection. */
  decide({ write, author, connection }: WriteSubmission): CommitResult {
    this.checkSession({ session: author.session, connection })
    if (write.op === 'close-session') return this.endSession(author.session)
    const draft = this.#draft()
    const decided =
      write.op === 'multi'
        ? prepareMulti(draft, write.parts, author)
        : orRefused(() => [prepareWrite(draft, write, author)])
    // A rejected write has its place in the order too.
    const changes = decided.kind === 'done' ? draft.changes : []
    return { ...decided, zxid: this.#commit(draft, { session: author.session, changes }) }
  }

  /** The wall time of the servers at a time of the clock, in milliseconds since 1970. */
  wallTimeMs(clockMs: number): number {
    return epochMs + Math.floor(clockMs)
  }

  /** Removes an unused node. */
  removeUnused(path: string): void {
    const draft = this.#draft()
    remove(draft, path)
    this.#commit(draft, { session: 0n })
  }

  #draft(): TransactionDraft {
    const { term } = this.#deps.quorum
    if (term !== this.#term) {
      this.#term = term
      this.#counter = 0n
    }
    this.#counter += 1n
    const zxid = (BigInt(term) << 32n) | this.#counter
    return new TransactionDraft(this.tree, { zxid, timeMs: this.wallTimeMs(this.#deps.clock.now()) })
  }

  #commit(
    draft: TransactionDraft,
    txn: Pick<Txn, 'session'> & Partial<Pick<Txn, 'changes' | 'ended'>>,
  ): bigint {
    const { session, changes = draft.changes, ended } = txn
    const committed: Txn = { ...draft.stamp, atMs: this.#deps.clock.now(), session, changes, ended }
    this.tree.apply(committed)
    this.#log.push(committed)
    this.#deps.onCommitted()
    return committed.zxid
  }
}

// At time 0 of the clock, the wall time is in November 2023.
const epochMs = 1_700_000_000_000

type WriteDecision =
  | { readonly kind: 'done'; readonly effects: readonly Effect[] }
  | { readonly kind: 'refused'; readonly at: number; readonly code: number }

function orRefused(act: () => readonly Effect[]): WriteDecision {
  try {
    return { kind: 'done', effects: act() }
  } catch (error) {
    if (error instanceof KeeperException) return { kind: 'refused', at: 0, code: error.code }
    throw error
  }
}

function remove(draft: TransactionDraft, path: string): void {
  const [node, parent] = [draft.find(path), draft.find(parentOf(path))]
  if (node !== undefined && parent !== undefined) draft.remove(path, node, parent)
}

/** A session. */
export interface Session {
  readonly id: bigint
  readonly password: Buffer
  /** The timeout that was negotiated last. */
  readonly timeoutMs: number
  /** The number of the node of its latest connection. */
  readonly node: number
  /** The number of its latest connection. */
  readonly connection: number
  /** When it expires, by the clock of the ensemble, unless its client sends something before. */
  readonly expiresAtMs: number
}

/** The limits of session timeouts. */
interface SessionLimits {
  readonly clock: Clock
  readonly tickTimeMs: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
}

/** All sessions, and their expiry by the leader while {@link watch} is on. */
class SessionTracker {
  readonly #rules: SessionLimits
  readonly #onExpired: (id: bigint) => void
  readonly #byId = new Map<bigint, Session>()
  #made = 0n
  #isWatched = false
  #cancel: (() => void) | undefined

  constructor(rules: SessionLimits, onExpired: (id: bigint) => void) {
    this.#rules = rules
    this.#onExpired = onExpired
  }

  all(): readonly Session[] {
    return [...this.#byId.values()]
  }

  find(id: bigint): Session | undefined {
    return this.#byId.get(id)
  }

  open(askedMs: number, at: ConnectionOrigin): Session {
    this.#made += 1n
    const id = (BigInt(at.node) << 56n) | (firstSession + this.#made)
    return this.take({ id, password: passwordOf(id) }, askedMs, at)
  }

  /** Attaches the session to a connection. */
  take({ id, password }: Pick<Session, 'id' | 'password'>, askedMs: number, at: ConnectionOrigin): Session {
    const { node, connection } = at
    return this.#renew({ id, password, timeoutMs: this.#granted(askedMs), node, connection })
  }

  /** Its client has sent something. */
  touch(id: bigint): void {
    const session = this.#byId.get(id)
    if (session !== undefined) this.#renew(session)
  }

  end(id: bigint): void {
    this.#byId.delete(id)
  }

  /** All timeouts start again: a new leader does not know when a client last sent something. */
  renewAll(): void {
    for (const session of this.all()) this.#renew(session)
  }

  /** Turns expiry on or off: without a leader, no session expires. */
  watch(isWatched: boolean): void {
    this.#isWatched = isWatched
    if (isWatched) this.#expire()
    else this.#schedule()
  }

  #granted(askedMs: number): number {
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#rules
    return Math.min(Math.max(askedMs, minSessionTimeoutMs), maxSessionTimeoutMs)
  }

  // The leader checks once a tick: a session expires at the first tick after its timeout.
  #renew(session: Omit<Session, 'expiresAtMs'>): Session {
    const { clock, tickTimeMs } = this.#rules
    const untilMs = clock.now() + session.timeoutMs
    const expiresAtMs = (Math.floor(untilMs / tickTimeMs) + 1) * tickTimeMs
    const renewed = { ...session, expiresAtMs }
    this.#byId.set(session.id, renewed)
    if (this.#cancel === undefined) this.#schedule()
    return renewed
  }

  #schedule(): void {
    this.#cancel?.()
    this.#cancel = undefined
    if (!this.#isWatched || this.#byId.size === 0) return
    const nextMs = Math.min(...this.all().map(({ expiresAtMs }) => expiresAtMs))
    const inMs = Math.max(0, Math.ceil(nextMs - this.#rules.clock.now()))
    this.#cancel = this.#rules.clock.after(inMs, () => this.#expire())
  }

  #expire(): void {
    const nowMs = this.#rules.clock.now()
    const due = this.all().filter(({ expiresAtMs }) => expiresAtMs <= nowMs)
    for (const { id } of due) this.#onExpired(id)
    this.#schedule()
  }
}

// So that the ids are as long as real ones.
const firstSession = 0x1_0000_0000n

function passwordOf(id: bigint): Buffer {
  return createHash('md5').update(`password of ${id}`).digest()
}
