import type { Row } from '../wire/values.ts'
import { ServerError, serverError } from './errors.ts'
import type { Session } from './session.ts'
import type { Changes, Table } from './store.ts'

/** Whether a transaction may write. */
export type Access = 'read-only' | 'read-write'

/** One transaction: what it has changed and not yet committed. */
export class Transaction {
  readonly access: Access
  /** The number of the last commit that its plain reads see, once it has read. */
  snapshot: number | undefined
  #changes: Changes = new Map()
  #savepoints: readonly { readonly name: string; readonly changes: Changes }[] = []
  #isAborted = false

  constructor(access: Access) {
    this.access = access
  }

  get changes(): Changes {
    return this.#changes
  }

  /** Whether it lost against another node: it is rolled back, and its client has not been informed yet. */
  get isAborted(): boolean {
    return this.#isAborted
  }

  abort(): void {
    this.#isAborted = true
    this.#changes = new Map()
  }

  put(table: Table, key: string, row: Row | undefined): void {
    const rows = new Map(this.#changes.get(table))
    rows.set(key, row)
    this.#changes = new Map(this.#changes).set(table, rows)
  }

  /** The row of that key as this transaction sees it: its own, or the one after the commit of that number. */
  row(table: Table, key: string, seqno: number): Row | undefined {
    const own = this.#changes.get(table)
    return own?.has(key) === true ? own.get(key) : table.at(key, seqno)
  }

  /** Calls `work` and undoes its changes when it fails. */
  async attempt<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#changes
    try {
      return await work()
    } catch (error) {
      this.#changes = before
      throw error
    }
  }

  setSavepoint(name: string): void {
    const others = this.#savepoints.filter((each) => each.name !== name)
    this.#savepoints = [...others, { name, changes: this.#changes }]
  }

  /** Removes a savepoint and those set after it; false when there is none of that name. */
  release(name: string): boolean {
    const at = this.#savepoints.findIndex((each) => each.name === name)
    if (at >= 0) this.#savepoints = this.#savepoints.slice(0, at)
    return at >= 0
  }

  /** Undoes what was changed after a savepoint; false when there is none of that name. */
  rollbackTo(name: string): boolean {
    const at = this.#savepoints.findIndex((each) => each.name === name)
    const savepoint = this.#savepoints[at]
    if (savepoint === undefined) return false
    this.#savepoints = this.#savepoints.slice(0, at + 1)
    this.#changes = savepoint.changes
    return true
  }
}

/**
 * Runs a statement's work in the transaction of its session, or in one of its own that ends with it. The changes of a
 * statement that fails are undone; a deadlock rolls back the whole transaction.
 */
export async function inTransaction<T>(
  session: Session,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const isOwn = session.transaction === undefined && session.isAutocommit
  const transaction = session.transaction ?? session.begin(undefined)
  try {
    const result = await transaction.attempt(() => work(transaction))
    if (isOwn) await commit(session)
    return result
  } catch (error) {
    if (isOwn || (error instanceof ServerError && error.errno === deadlockErrno)) session.rollback()
    throw error
  }
}

const deadlockErrno = 1213

/** Commits the transaction of a session, when it has one; a commit that fails rolls it back. */
export async function commit(session: Session): Promise<void> {
  const { transaction, server } = session
  if (transaction === undefined) return
  try {
    if (transaction.changes.size > 0) {
      if (server.variable('read_only') === 'ON') throw serverError('readOnlyServer')
      const seqno = await server.membership.commit(transaction.changes, { server, transaction })
      session.lastWritten = seqno
      server.applier.receive(seqno)
    }
  } finally {
    session.rollback()
  }
}

/** The number of the last commit that a plain read sees: the same for a whole transaction, unless it is READ COMMITTED. */
export function snapshotOf(session: Session, transaction: Transaction): number {
  const { applied } = session.server.applier
  if (String(session.variable('tx_isolation')).startsWith('READ-')) return applied
  transaction.snapshot ??= applied
  return transaction.snapshot
}
