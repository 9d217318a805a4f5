import type { Access } from '../sql/statement.ts'
import type { Row } from '../wire/value.ts'
import type { Changes } from './store.ts'
import type { Table } from './table.ts'

type Working = ReadonlyMap<Table, ReadonlyMap<string, Row | undefined>>

/** One transaction: what it has changed and not yet committed. */
export class Transaction {
  readonly access: Access
  /** The moment that its plain reads see, once it has read. */
  snapshot: number | undefined
  #changes: Working = new Map()
  #savepoints: readonly { readonly name: string; readonly changes: Working }[] = []
  #isDoomed = false

  constructor(access: Access) {
    this.access = access
  }

  get changes(): Changes {
    return this.#changes
  }

  /** Whether another one has won against it: it is rolled back, and its client does not know yet. */
  get isDoomed(): boolean {
    return this.#isDoomed
  }

  doom(): void {
    this.#isDoomed = true
    this.#changes = new Map()
  }

  put(table: Table, key: string, row: Row | undefined): void {
    const rows = new Map(this.#changes.get(table))
    rows.set(key, row)
    this.#changes = new Map(this.#changes).set(table, rows)
  }

  /** The row of that key as this transaction sees it: its own, or the one of a moment. */
  row(table: Table, key: string, seqno: number): Row | undefined {
    const own = this.#changes.get(table)
    return own?.has(key) === true ? own.get(key) : table.at(key, seqno)
  }

  /** All rows of a table as this transaction sees them. */
  *rows(table: Table, seqno: number): Iterable<readonly [string, Row]> {
    const own = this.#changes.get(table)
    for (const key of new Set([...table.keys(), ...(own?.keys() ?? [])])) {
      const row = this.row(table, key, seqno)
      if (row !== undefined) yield [key, row]
    }
  }

  /** Calls `work` and forgets what it changed when it fails. */
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
    this.#savepoints = [
      ...this.#savepoints.filter((each) => each.name !== name),
      { name, changes: this.#changes },
    ]
  }

  /** Forgets a savepoint and those behind it; false when there is none of that name. */
  release(name: string): boolean {
    const at = this.#savepoints.findIndex((each) => each.name === name)
    if (at >= 0) this.#savepoints = this.#savepoints.slice(0, at)
    return at >= 0
  }

  /** Goes back to a savepoint; false when there is none of that name. */
  rollbackTo(name: string): boolean {
    const at = this.#savepoints.findIndex((each) => each.name === name)
    const savepoint = this.#savepoints[at]
    if (savepoint === undefined) return false
    this.#savepoints = this.#savepoints.slice(0, at + 1)
    this.#changes = savepoint.changes
    return true
  }
}
