import type { CreateTable } from '../sql/statement.ts'
import type { Row } from '../wire/value.ts'
import { Table } from './table.ts'

/** What a transaction changes: rows by their keys, or undefined for those that it deletes. */
export type Changes = ReadonlyMap<Table, ReadonlyMap<string, Row | undefined>>

/** What is committed, for all nodes of a cluster together: each of them sees it up to the number that it has reached. */
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

  addSchema(name: string): void {
    this.#schemas.add(name)
  }

  table(schema: string, name: string): Table | undefined {
    return this.#tables.get(`${schema}.${name}`)
  }

  /** Makes a table. Like every definition it is everywhere at once. */
  create(schema: string, statement: CreateTable): void {
    this.#tables.set(`${schema}.${statement.table.name}`, new Table(schema, statement))
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
