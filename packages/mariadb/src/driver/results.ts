import { Readable } from 'node:stream'
import type { FieldInfo } from 'mariadb'
import type { ResultOptions } from '../options/resolved-options.ts'
import { type DateZone, readDate } from './dates.ts'
import type { DriverError } from './error-classification.ts'
import type { Answer, Column, Row } from './statement.ts'

/** How values of the server become values of JavaScript. */
export interface ResultRules extends Pick<ResultOptions, 'bigint' | 'dates'> {
  readonly zone: DateZone
}

/** The driver's result as an {@link Answer}. */
export function readResult(result: unknown, rules: ResultRules): Answer {
  if (!Array.isArray(result)) return readWritten(result as DriverWriteResult, rules)
  const rows = result as DriverRows
  if (rows.meta !== undefined) return readRows(rows, rows.meta, rules)
  // A procedure answers more than once; what a batch returns comes without columns.
  const several = rows.some((each) => Array.isArray(each))
  if (!several) return { kind: 'rows', rows, columns: [] }
  return { kind: 'several', answers: rows.map((each) => readResult(each, rules)) }
}

/** Converts one row of a stream in place. */
export function rowReader(columns: readonly FieldInfo[], rules: ResultRules): (row: Row) => Row {
  const readers = columnReaders(columns, rules)
  return (row) => {
    for (const { name, read } of readers) convert(row, name, read)
    return row
  }
}

/** What a statement that wrote came to, as the driver has it. */
interface DriverWriteResult {
  readonly affectedRows: number
  readonly insertId: bigint
  readonly warningStatus: number
}

type DriverRows = readonly Row[] & { readonly meta?: readonly FieldInfo[] }

function readWritten(
  { affectedRows, insertId, warningStatus }: DriverWriteResult,
  rules: ResultRules,
): Answer {
  return { kind: 'written', affectedRows, insertId: readBigint(insertId, rules), warnings: warningStatus }
}

function readRows(rows: readonly Row[], meta: readonly FieldInfo[], rules: ResultRules): Answer {
  const readers = columnReaders(meta, rules)
  for (const { name, read } of readers) for (const row of rows) convert(row, name, read)
  return { kind: 'rows', rows, columns: meta.map(describe) }
}

function describe(field: FieldInfo): Column {
  return { name: field.name(), type: field.type }
}

interface ColumnReader {
  readonly name: string
  readonly read: (value: never) => unknown
}

// Most results have no column that needs one.
function columnReaders(columns: readonly FieldInfo[], rules: ResultRules): readonly ColumnReader[] {
  const readers: ColumnReader[] = []
  for (const column of columns) {
    const read = columnReader(column, rules)
    if (read !== undefined) readers.push({ name: column.name(), read })
  }
  return readers
}

function columnReader(column: FieldInfo, rules: ResultRules): ColumnReader['read'] | undefined {
  switch (column.type) {
    case 'BIGINT':
      return rules.bigint === 'bigint' ? undefined : (value: bigint) => readBigint(value, rules)
    case 'DATE':
    case 'DATETIME':
    case 'TIMESTAMP':
      return rules.dates === 'string' ? undefined : (value: string) => readDate(value, rules.zone)
    default:
      return column.isDataTypeFormatJson() || column.type === 'JSON' ? readJson : undefined
  }
}

// In place: the rows are fresh, and a result may be large.
function convert(row: Row, name: string, read: ColumnReader['read']): void {
  const cells = row as Record<string, unknown>
  if (cells[name] !== null) cells[name] = read(cells[name] as never)
}

function readBigint(value: bigint, { bigint }: ResultRules): number | bigint | string {
  switch (bigint) {
    case 'bigint':
      return value
    case 'string':
      return String(value)
    case 'number':
      return Number(value)
    case 'auto':
      return value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER ? value : Number(value)
  }
}

// The driver parses while it reads the socket, where a document that was cut (`group_concat_max_len`) ends the process.
function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The text says more than nothing.
    return text
  }
}

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

/** What a stream of rows tells its connection. */
interface RowStreamListener {
  /** The server has answered to the end. */
  complete(): void
  /** The server refused, or the driver did: in our words. */
  translate(thrown: unknown): DriverError
  /** Nobody takes the rest of the rows. */
  abandoned(): void
}

/** The driver's stream with our values and errors, and an end that is always told. */
export function rowStream(source: Readable, rules: ResultRules, ends: RowStreamListener): Readable {
  let open = true
  let answered = false
  let read: ((row: Row) => Row) | undefined
  const rows = new Readable({
    objectMode: true,
    read: () => {
      source.resume()
    },
    destroy: (error, done) => {
      if (open) ends.abandoned()
      done(error)
    },
  })
  const complete = (): void => {
    open = false
    ends.complete()
  }
  source.once('fields', (columns: readonly FieldInfo[]) => {
    answered = true
    read = rowReader(columns, rules)
    if (haveDuplicateNames(columns)) rows.destroy(ends.translate(new Error('two columns have the same name')))
  })
  source.on('data', (row: Row) => {
    answered = true
    // Without columns before it, it is no row but the answer to a write.
    if (read !== undefined && !rows.push(read(row))) source.pause()
  })
  source.on('error', (thrown) => {
    complete()
    rows.destroy(ends.translate(thrown))
  })
  source.once('end', () => {
    if (open) complete()
    // On a connection that it holds to be closed, the driver answers nothing at all.
    if (answered) rows.push(null)
    else rows.destroy(ends.translate(new Error('the connection was closed')))
  })
  return rows
}

// The driver says so of a result, and keeps it to itself in a stream.
function haveDuplicateNames(columns: readonly FieldInfo[]): boolean {
  return new Set(columns.map((column) => column.name())).size < columns.length
}
