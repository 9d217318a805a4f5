import type { ColumnType } from '../wire/answers.ts'
import type { Row, Value } from '../wire/values.ts'
import type { Session } from './session.ts'
import { keyOf } from './values.ts'

/** What a transaction changes: rows by their keys, or undefined for those that it deletes. */
export type Changes = ReadonlyMap<Table, ReadonlyMap<string, Row | undefined>>

/** A column as `CREATE TABLE` defines it. */
export interface ColumnDefinition {
  readonly name: string
  readonly type: ColumnType
  readonly isNullable: boolean
  readonly isAutoIncrement: boolean
  readonly default: ((session: Session) => Value) | undefined
}

/** A table as `CREATE TABLE` defines it. */
export interface TableDefinition {
  readonly columns: readonly ColumnDefinition[]
  /** The names of the columns of its primary key. */
  readonly primaryKey: readonly string[]
}

/** What is committed, shared by all nodes of a cluster: each node sees it up to the number that it has applied. */
export class Store {
  readonly #schemas: Set<string>
  readonly #tables = new Map<string, Table>()
  #seqno = 0

  constructor(schemas: readonly string[]) {
    this.#schemas = new Set(['information_schema', 'mysql', ...schemas])
  }

  /** The number of the last commit. */
  get seqno(): number {
    return this.#seqno
  }

  hasSchema(name: string): boolean {
    return this.#schemas.has(name)
  }

  table(schema: string, name: string): Table | undefined {
    return this.#tables.get(`${schema}.${name}`)
  }

  /** Creates a table. Like every definition it is visible on all nodes at once. */
  create(schema: string, name: string, definition: TableDefinition): void {
    this.#tables.set(`${schema}.${name}`, new Table(name, definition))
  }

  drop(schema: string, name: string): void {
    this.#tables.delete(`${schema}.${name}`)
  }

  /** Makes changes durable; returns their number. */
  commit(changes: Changes): number {
    this.#seqno += 1
    for (const [table, rows] of changes) {
      for (const [key, row] of rows) table.put(key, this.#seqno, row)
    }
    return this.#seqno
  }
}

interface Version {
  readonly seqno: number
  /** Undefined: deleted. */
  readonly row: Row | undefined
}

/** The rows of a table with all their earlier versions, so that every reader sees its own snapshot. */
export class Table {
  readonly name: string
  readonly columns: readonly ColumnDefinition[]
  /** The indexes of the columns of its primary key. */
  readonly primaryKey: readonly number[]
  readonly #rows = new Map<string, Version[]>()
  #nextId = 1
  #nextHiddenKey = 1

  constructor(name: string, { columns, primaryKey }: TableDefinition) {
    this.name = name
    this.columns = columns
    this.primaryKey = primaryKey.map((column) => indexOfColumn(columns, column))
  }

  /** The key of a row; in a table without a primary key each row gets one of its own. */
  keyOf(row: Row): string {
    return this.primaryKey.length === 0 ? `#${this.#nextHiddenKey++}` : keyOf(this.keyValues(row))
  }

  /** The values of a row's primary key. */
  keyValues(row: Row): Row {
    return this.primaryKey.map((index) => row[index] ?? null)
  }

  /** The row of that key as it was after the commit of that number. */
  at(key: string, seqno: number): Row | undefined {
    return this.#rows.get(key)?.findLast((version) => version.seqno <= seqno)?.row
  }

  /** All keys that the table has ever had. */
  keys(): Iterable<string> {
    return this.#rows.keys()
  }

  /** The number of the commit that last changed the row of that key: 0 for none. */
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

  /** Keeps later generated values above one that a client has given. */
  noteId(id: number): void {
    this.#nextId = Math.max(this.#nextId, id + 1)
  }
}

/** The index of a column, whose name ignores case; -1 when there is none of that name. */
export function indexOfColumn(columns: readonly { readonly name: string }[], column: string): number {
  const name = column.toLowerCase()
  return columns.findIndex((each) => each.name.toLowerCase() === name)
}

// Domain and server of every commit: there is one history, whichever node wrote it.
const gtidPrefix = '0-1-'

/** The global transaction id of a commit, such as `0-1-42`. */
export function gtidOf(seqno: number): string {
  return `${gtidPrefix}${seqno}`
}

/** The number of the commit in a global transaction id; undefined when the text is none. */
export function seqnoOf(gtid: string): number | undefined {
  const [, digits] = /^\d+-\d+-(\d+)$/.exec(gtid.trim()) ?? []
  return digits === undefined ? undefined : Number(digits)
}
