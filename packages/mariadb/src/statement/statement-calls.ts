import { batchOf, statementOf } from '../arguments.ts'
import { type Result, resultOf } from '../driver/codec.ts'
import type { Answer, Args, ColumnMeta, PositionalRow, Row, Statement } from '../driver/statement.ts'
import type { CallOptions, RowsAsArrayOptions } from '../options/call-options.ts'
import { type RowStream, rowStreamOf } from './stream.ts'

/** The options of one statement inside a callback. */
export type StatementOptions = CallOptions | RowsAsArrayOptions

/** Receives the columns of a stream before its first row. */
export type ColumnListener = (meta: readonly ColumnMeta[]) => void

/** The calls for one statement that a transaction and a session have in common. */
export abstract class StatementCalls {
  /**
   * Runs a statement in the text protocol. A statement that was sent and is out of time, or aborted, is ended at the
   * server, and the transaction or session is over.
   */
  query<T extends PositionalRow = PositionalRow>(
    sql: string,
    args: Args | undefined,
    options: RowsAsArrayOptions,
  ): Promise<Result<T>>
  query<T = Row>(sql: string, args?: Args, options?: CallOptions): Promise<Result<T>>
  async query<T>(sql: string, args?: Args, options?: StatementOptions): Promise<Result<T>> {
    return resultOf(await this.runStatement('query', statementOf('query', 'text', sql, args), options))
  }

  /** Runs a prepared statement; otherwise as {@link query}. */
  execute<T extends PositionalRow = PositionalRow>(
    sql: string,
    args: Args | undefined,
    options: RowsAsArrayOptions,
  ): Promise<Result<T>>
  execute<T = Row>(sql: string, args?: Args, options?: CallOptions): Promise<Result<T>>
  async execute<T>(sql: string, args?: Args, options?: StatementOptions): Promise<Result<T>> {
    return resultOf(
      await this.runStatement('execute', statementOf('execute', 'prepared', sql, args), options),
    )
  }

  /** Runs one statement for many rows; otherwise as {@link query}. */
  async batch(sql: string, rows: readonly Args[], options?: CallOptions): Promise<Result> {
    return resultOf(await this.runStatement('batch', batchOf('batch', sql, rows), options))
  }

  /**
   * Streams the rows of a query at the pace of the consumer. Later statements wait for its last row; when the consumer
   * leaves before, the rest is read and dropped. A statement is refused when it waits for a stream whose consumer takes
   * no row for a second: a loop over the rows cannot run statements of its own connection, unless the rows are few.
   */
  stream<T extends PositionalRow = PositionalRow>(
    sql: string,
    args: Args | undefined,
    options: RowsAsArrayOptions,
  ): RowStream<T>
  stream<T = Row>(sql: string, args?: Args, options?: CallOptions): RowStream<T>
  stream<T>(sql: string, args?: Args, options?: StatementOptions): RowStream<T> {
    return rowStreamOf((found) => this.streamStatement(sql, args, options, found))
  }

  /** @internal */
  protected abstract runStatement(
    name: string,
    statement: Statement,
    options: StatementOptions | undefined,
  ): Promise<Answer>

  /** @internal Begins, and refuses wrong arguments, when the first row is asked for. */
  protected abstract streamStatement(
    sql: string,
    args: Args | undefined,
    options: StatementOptions | undefined,
    found: ColumnListener,
  ): AsyncGenerator<Row, void>
}
