import type { ConnectionOrigin } from '../../server/rules.ts'
import type { Committed, Submission, Whose } from '../conversation/server.ts'
import { decide, type Effect } from '../tree/decide.ts'
import { decideMulti } from '../tree/decide-multi.ts'
import { Draft } from '../tree/draft.ts'
import { parentOf } from '../tree/path.ts'
import { Refusal } from '../tree/refusal.ts'
import { Tree, type Txn } from '../tree/tree.ts'
import { code } from '../wire/code.ts'
import type { Quorum } from './quorum.ts'
import { type Session, type SessionRules, Sessions } from './sessions.ts'

/** What an agreement needs from its ensemble. */
export interface AgreementEnds extends SessionRules {
  readonly quorum: Quorum
  /** There is something new for all nodes. */
  readonly onCommitted: () => void
}

/** What the leader decides: the tree as it really is, the sessions, and every transaction in order. */
export class Agreement {
  readonly tree: Tree = new Tree()
  readonly sessions: Sessions
  readonly #ends: AgreementEnds
  readonly #log: Txn[] = []
  #term = 0
  #counter = 0n

  constructor(ends: AgreementEnds) {
    this.#ends = ends
    this.sessions = new Sessions(ends, (id) => this.endSession(id))
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
  async turn(node: number): Promise<boolean> {
    const { quorum } = this.#ends
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
  endSession(id: bigint): Committed {
    const draft = this.#draft()
    for (const path of this.tree.ownedBy(id)) remove(draft, path)
    this.sessions.end(id)
    return { kind: 'done', zxid: this.#commit(draft, { session: id, ended: id }), effects: [] }
  }

  /** Throws -112 or -118 when the session is not there, or not on this connection, any more. */
  checkSession({ session: id, connection }: Whose): void {
    const session = this.sessions.find(id)
    if (session === undefined) throw new Refusal(code.sessionExpired)
    if (session.connection !== connection) throw new Refusal(code.sessionMoved)
  }

  /** Decides a write, and has it agreed upon. Throws -112 or -118 when the session is not there any more. */
  decide({ write, author, connection }: Submission): Committed {
    this.checkSession({ session: author.session, connection })
    if (write.op === 'close-session') return this.endSession(author.session)
    const draft = this.#draft()
    const decided =
      write.op === 'multi'
        ? decideMulti(draft, write.parts, author)
        : refusable(() => [decide(draft, write, author)])
    // What was refused has its place in the order as well.
    const changes = decided.kind === 'done' ? draft.changes : []
    return { ...decided, zxid: this.#commit(draft, { session: author.session, changes }) }
  }

  /** What the servers' calendars say at a time of the clock, in milliseconds since 1970. */
  calendarMs(clockMs: number): number {
    return beginningMs + Math.floor(clockMs)
  }

  /** Removes a node that nobody needs any more. */
  tidy(path: string): void {
    const draft = this.#draft()
    remove(draft, path)
    this.#commit(draft, { session: 0n })
  }

  #draft(): Draft {
    const { term } = this.#ends.quorum
    if (term !== this.#term) {
      this.#term = term
      this.#counter = 0n
    }
    this.#counter += 1n
    const zxid = (BigInt(term) << 32n) | this.#counter
    return new Draft(this.tree, { zxid, timeMs: this.calendarMs(this.#ends.clock.now()) })
  }

  #commit(draft: Draft, txn: Pick<Txn, 'session'> & Partial<Pick<Txn, 'changes' | 'ended'>>): bigint {
    const { session, changes = draft.changes, ended } = txn
    const committed: Txn = { ...draft.stamp, atMs: this.#ends.clock.now(), session, changes, ended }
    this.tree.apply(committed)
    this.#log.push(committed)
    this.#ends.onCommitted()
    return committed.zxid
  }
}

// When the clock says 0 it is November 2023.
const beginningMs = 1_700_000_000_000

type Decided =
  | { readonly kind: 'done'; readonly effects: readonly Effect[] }
  | { readonly kind: 'refused'; readonly at: number; readonly code: number }

function refusable(act: () => readonly Effect[]): Decided {
  try {
    return { kind: 'done', effects: act() }
  } catch (error) {
    if (error instanceof Refusal) return { kind: 'refused', at: 0, code: error.code }
    throw error
  }
}

function remove(draft: Draft, path: string): void {
  const [node, parent] = [draft.find(path), draft.find(parentOf(path))]
  if (node !== undefined && parent !== undefined) draft.remove(path, node, parent)
}
