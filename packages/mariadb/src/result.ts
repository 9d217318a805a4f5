import type { Answer, Args, Column, Row, Statement } from './driver/statement.ts'

/** The rows of a statement, with what it wrote: `const [row] = await db.query(…)`, `const { affectedRows } = …`. */
export interface Result<T = Row> extends ReadonlyArray<T> {
  /** How many rows were written; 0 for a statement that gave rows. */
  readonly affectedRows: number
  /** The first value of AUTO_INCREMENT that was given; 0 when there was none. */
  readonly insertId: number | bigint | string
  /** How many warnings the server has. */
  readonly warnings: number
  readonly columns: readonly Column[]
}

/** What an answer of the server becomes. Of a procedure: its first rows, and what it wrote last. */
export function resultOf<T>(answer: Answer): Result<T> {
  const parts = answer.kind === 'several' ? answer.answers : [answer]
  const read = parts.find((part) => part.kind === 'rows')
  const written = parts.findLast((part) => part.kind === 'written')
  // Not enumerable: a result prints, compares and serialises as the list of its rows.
  return Object.defineProperties(read?.rows ?? [], {
    affectedRows: { value: written?.affectedRows ?? 0 },
    insertId: { value: written?.insertId ?? 0 },
    warnings: { value: written?.warnings ?? 0 },
    columns: { value: read?.columns ?? [] },
  }) as unknown as Result<T>
}

/** A statement in the text protocol: the values are written into it, escaped. */
export function textStatement(sql: string, args: Args | undefined): Statement {
  return { kind: 'text', sql, args }
}

/** A statement that the server prepares, and keeps prepared on its connection. */
export function preparedStatement(sql: string, args: Args | undefined): Statement {
  return { kind: 'prepared', sql, args }
}

/** One statement for many rows, sent as one. */
export function batchStatement(sql: string, rows: readonly Args[]): Statement {
  return { kind: 'batch', sql, args: rows }
}
