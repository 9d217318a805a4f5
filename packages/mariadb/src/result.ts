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

type Read = Extract<Answer, { kind: 'rows' }>
type Written = Extract<Answer, { kind: 'written' }>

/** What an answer of the server becomes. Of a procedure: its first rows, and what it wrote last. */
export function resultOf<T>(answer: Answer): Result<T> {
  if (answer.kind === 'rows') return rowsOf(answer, nothing)
  if (answer.kind === 'written') return writtenOf(answer)
  const read = answer.answers.find((part) => part.kind === 'rows')
  const written = answer.answers.findLast((part) => part.kind === 'written') ?? nothing
  return read === undefined ? writtenOf(written) : rowsOf(read, written)
}

const nothing: Written = { kind: 'written', affectedRows: 0, insertId: 0, warnings: 0 }
const noColumns: readonly Column[] = Object.freeze([])

// Without rows there is nothing else to see: it prints what was written.
function writtenOf<T>({ affectedRows, insertId, warnings }: Written): Result<T> {
  return Object.assign([] as T[], { affectedRows, insertId, warnings, columns: noColumns })
}

function rowsOf<T>({ rows, columns }: Read, { affectedRows, insertId, warnings }: Written): Result<T> {
  hide(rows, 'affectedRows', affectedRows)
  hide(rows, 'insertId', insertId)
  hide(rows, 'warnings', warnings)
  hide(rows, 'columns', columns)
  return rows as unknown as Result<T>
}

// One for all: four fresh ones for each result cost more than the rest of it.
const descriptor: PropertyDescriptor = { value: undefined }

// Not enumerable: rows print, compare and serialise as the list that they are.
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
