import type { Endpoint } from '@ha/core'
import type { DriverError } from './error-classification.ts'

/**
 * Values for `?` by position, or for `:name` by name; a batch takes a list of either. Streams are not accepted,
 * because they cannot be sent twice.
 */
export type Args = readonly unknown[] | object

/** One command. `text` is the text protocol, `prepared` the binary protocol, `batch` one statement for many rows. */
export interface Statement {
  readonly sql: string
  readonly args?: Args | undefined
  readonly kind: 'text' | 'prepared' | 'batch'
  /** Rows are lists of values in the order of the columns. */
  readonly rowsAsArray?: boolean
}

/** A statement that is sent as a whole, without waiting for an answer in between. */
export type PipelinedStatement = Statement & { readonly kind: 'text' | 'prepared' }

/** One row, by column name. */
export type Row = Readonly<Record<string, unknown>>

/** One row with `rowsAsArray`: the values in the order of the columns. */
export type PositionalRow = readonly unknown[]

/** A column as the `mariadb` driver describes it. */
export interface ColumnMeta {
  /** The name of the column in the result: its alias, when it has one. */
  name(): string
  /** The name of the column in its table; empty for an expression. */
  orgName(): string
  /** The name of the table in the statement: its alias, when it has one. */
  table(): string
  orgTable(): string
  schema(): string
  /** The column type, such as `BIGINT` or `VAR_STRING`. */
  readonly type: string
}

/** The metadata of a column. */
export interface Column {
  readonly name: string
  /** The column type, such as `BIGINT` or `VAR_STRING`. */
  readonly type: string
}

/** The answer to a statement: rows, the effects of a write, or, for a procedure, several answers. */
export type Answer =
  | { readonly kind: 'several'; readonly answers: readonly Answer[] }
  | { readonly kind: 'rows'; readonly rows: readonly Row[]; readonly columns: readonly Column[] }
  | {
      readonly kind: 'written'
      readonly affectedRows: number
      /**
       * The value for the first row; 0 for a table without AUTO_INCREMENT. A bigint above 2^53, unless the options
       * say otherwise.
       */
      readonly insertId: number | bigint | string
      readonly warnings: number
    }

/** An answer or the error instead: the result of one pipelined statement. */
export type Reply = Answer | { readonly kind: 'failed'; readonly error: DriverError }

/** A statement that its caller has given up, and that the server may still execute. */
export interface AbandonedStatement {
  readonly endpoint: Endpoint
  /** The connection id on the server. */
  readonly threadId: number
  /** The port of the client, by which the server lists the connection. */
  readonly localPort: number
  /** The server that gave the connection id; undefined when it does not tell its identity. */
  readonly server: string | undefined
}
