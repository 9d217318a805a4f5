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
  /** There is something new for all nodes. */
  readonly onCommitted: () => void
}

/** What the leader decides: the tree as it really is, the sessions, and every transaction in order. */
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

  /** Every transaction, in order. */
  get log(): readonly Txn[] {
    return this.#log
  }

  /**
   * Resolves with true as soon as a node can have something agreed upon, and with false when it leaves the quorum, or
   * the quorum its leader, before that: nobody will ever hear of what it asked. What it asks while it is cut off arrives
   * when it is not any more.
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

  /** Throws -112 or -118 when the session is not there, or not on this connection, any more. */
  checkSession({ session: id, connection }: ConnectionSession): void {
    const session = this.sessions.find(id)
    if (session === undefined) throw new KeeperException(errorCode.sessionExpired)
    if (session.connection !== connection) throw new KeeperException(errorCode.sessionMoved)
  }

  /** Decides a write, and has it agreed upon. Throws -112 or -118 when the session is not there any more. */
  decide({ write, author, connection }: WriteSubmission): CommitResult {
    this.checkSession({ session: author.session, connection })
    if (write.op === 'close-session') return this.endSession(author.session)
    const draft = this.#draft()
    const decided =
      write.op === 'multi'
        ? prepareMulti(draft, write.parts, author)
        : orRefused(() => [prepareWrite(draft, write, author)])
    // What was refused has its place in the order as well.
    const changes = decided.kind === 'done' ? draft.changes : []
    return { ...decided, zxid: this.#commit(draft, { session: author.session, changes }) }
  }

  /** What the servers' calendars say at a time of the clock, in milliseconds since 1970. */
  wallTimeMs(clockMs: number): number {
    return epochMs + Math.floor(clockMs)
  }

  /** Removes a node that nobody needs any more. */
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

// When the clock says 0 it is November 2023.
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

/** A session as the leader knows it. */
export interface Session {
  readonly id: bigint
  readonly password: Buffer
  /** What was granted last. */
  readonly timeoutMs: number
  /** The number of the node to which it came last. */
  readonly node: number
  /** The number of the connection on which it came last. */
  readonly connection: number
  /** When it ends, by the clock of the ensemble, unless it is heard of before. */
  readonly expiresAtMs: number
}

/** What decides how long sessions live. */
interface SessionLimits {
  readonly clock: Clock
  readonly tickTimeMs: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
}

/** All sessions, and the leader's watch over them. It watches only while it is told to. */
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

  /** A connection, perhaps a new one, has the session. */
  take({ id, password }: Pick<Session, 'id' | 'password'>, askedMs: number, at: ConnectionOrigin): Session {
    const { node, connection } = at
    return this.#renew({ id, password, timeoutMs: this.#granted(askedMs), node, connection })
  }

  /** It was heard of. */
  touch(id: bigint): void {
    const session = this.#byId.get(id)
    if (session !== undefined) this.#renew(session)
  }

  end(id: bigint): void {
    this.#byId.delete(id)
  }

  /** A new leader knows of nobody when they were last heard of: all begin anew. */
  renewAll(): void {
    for (const session of this.all()) this.#renew(session)
  }

  /** Whether somebody watches: without a leader, nobody ends a session. */
  watch(isWatched: boolean): void {
    this.#isWatched = isWatched
    if (isWatched) this.#expire()
    else this.#schedule()
  }

  #granted(askedMs: number): number {
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#rules
    return Math.min(Math.max(askedMs, minSessionTimeoutMs), maxSessionTimeoutMs)
  }

  // The leader looks once a tick: a session ends at the first tick behind its time.
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
