import type { DriverError } from './error-classification.ts'

/** Values for `?` in order, or for `:name` by name. A batch takes a list of either. Never a stream: it cannot be sent twice. */
export type Args = readonly unknown[] | Readonly<Record<string, unknown>>

/** One command for the server. `text` is the plain protocol, `prepared` the binary one, `batch` one statement for many rows. */
export interface Statement {
  readonly sql: string
  readonly args?: Args | undefined
  readonly kind: 'text' | 'prepared' | 'batch'
}

/** A statement that does not wait for an answer of the server before it is wholly sent. */
export type PipelinedStatement = Statement & { readonly kind: 'text' | 'prepared' }

/** One row, by column name. */
export type Row = Readonly<Record<string, unknown>>

/** What a result says of one of its columns. */
export interface Column {
  readonly name: string
  /** The server's type, such as `BIGINT` or `VAR_STRING`. */
  readonly type: string
}

/** What a statement came to: rows, what it wrote, or, for a procedure, one after the other. */
export type Answer =
  | { readonly kind: 'several'; readonly answers: readonly Answer[] }
  | { readonly kind: 'rows'; readonly rows: readonly Row[]; readonly columns: readonly Column[] }
  | {
      readonly kind: 'written'
      readonly affectedRows: number
      /** Of the first row; 0 when the table counts nothing. A bigint above 2^53, unless the options say otherwise. */
      readonly insertId: number | bigint | string
      readonly warnings: number
    }

/** An answer, or why there is none: what a pipeline gives for each of its statements. */
export type Reply = Answer | { readonly kind: 'failed'; readonly error: DriverError }
