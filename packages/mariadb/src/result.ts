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
  if (answer.kind === 'rows') return result(answer, undefined)
  if (answer.kind === 'written') return result(undefined, answer)
  const read = answer.answers.find((part) => part.kind === 'rows')
  const written = answer.answers.findLast((part) => part.kind === 'written')
  return result(read, written)
}

function result<T>(
  read: Extract<Answer, { kind: 'rows' }> | undefined,
  written: Extract<Answer, { kind: 'written' }> | undefined,
): Result<T> {
  const rows = read?.rows ?? []
  hide(rows, 'affectedRows', written?.affectedRows ?? 0)
  hide(rows, 'insertId', written?.insertId ?? 0)
  hide(rows, 'warnings', written?.warnings ?? 0)
  hide(rows, 'columns', read?.columns ?? noColumns)
  return rows as unknown as Result<T>
}

const noColumns: readonly Column[] = Object.freeze([])

// One for all: four fresh ones for each result cost more than the rest of it.
const descriptor: PropertyDescriptor = { value: undefined }

// Not enumerable: a result prints, compares and serialises as the list of its rows.
function hide(rows: object, name: keyof Result, value: unknown): void {
  descriptor.value = value
  Object.defineProperty(rows, name, descriptor)
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
