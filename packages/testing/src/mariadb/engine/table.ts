import type { ColumnDefinition, CreateTable } from '../sql/statement.ts'
import type { Row } from '../wire/value.ts'
import { keyOf } from './key.ts'

interface Version {
  readonly seqno: number
  /** Undefined: deleted. */
  readonly row: Row | undefined
}

/** The rows of a table with all their earlier versions, so that every reader sees its own moment. */
export class Table {
  readonly schema: string
  readonly name: string
  readonly columns: readonly ColumnDefinition[]
  readonly primaryKey: readonly number[]
  readonly #rows = new Map<string, Version[]>()
  #nextId = 1
  #nextHiddenKey = 1

  constructor(schema: string, { table, columns, primaryKey }: CreateTable) {
    this.schema = schema
    this.name = table.name
    this.columns = columns
    this.primaryKey = primaryKey.map((name) => this.indexOf(name))
  }

  /** Where a column is, from 0; -1 when there is none of that name. */
  indexOf(column: string): number {
    const name = column.toLowerCase()
    return this.columns.findIndex((each) => each.name.toLowerCase() === name)
  }

  /** The key of a row; a table without a primary key gives each row one of its own. */
  keyOf(row: Row): string {
    if (this.primaryKey.length === 0) return `#${this.#nextHiddenKey++}`
    return keyOf(this.primaryKey.map((index) => row[index] ?? null))
  }

  /** The row of that key at a moment. */
  at(key: string, seqno: number): Row | undefined {
    return this.#rows.get(key)?.findLast((version) => version.seqno <= seqno)?.row
  }

  /** All keys that ever were. */
  keys(): Iterable<string> {
    return this.#rows.keys()
  }

  /** When the row of that key was last changed: 0 for never. */
  changedAt(key: string): number {
    return this.#rows.get(key)?.at(-1)?.seqno ?? 0
  }

  put(key: string, seqno: number, row: Row | undefined): void {
    const versions = this.#rows.get(key)
    if (versions === undefined) this.#rows.set(key, [{ seqno, row }])
    else versions.push({ seqno, row })
  }

  /** The next value of its `AUTO_INCREMENT`: `offset`, or any number of increments above it. */
  nextId(increment: number, offset: number): number {
    const steps = Math.max(0, Math.ceil((this.#nextId - offset) / increment))
    const id = offset + steps * increment
    this.#nextId = id + 1
    return id
  }

  /** A value was given by hand: later ones are above it. */
  noteId(id: number): void {
    this.#nextId = Math.max(this.#nextId, id + 1)
  }
}
