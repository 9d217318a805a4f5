import { Readable } from 'node:stream'
import { asError, typeName } from '@ha/core/driver'
import type { Connection, FieldInfo, QueryOptions } from 'mariadb'
import type { ResultOptions } from '../options/resolved-options.ts'
import { type DateZone, readDate, writeDate } from './dates.ts'
import { DriverError, PacketTooLarge, unreadableError } from './error-classification.ts'
import type { Answer, Args, Column, ColumnMeta, PipelinedStatement, Row, Statement } from './statement.ts'

/** Passes a statement to the driver. The result, or the error, is the driver's own. */
export function sendStatement(driver: Connection, statement: Statement, values: unknown): Promise<unknown> {
  const command = commandOf(statement, values)
  switch (statement.kind) {
    case 'text':
      return driver.query(command, values)
    case 'prepared':
      return driver.execute(command, values)
    case 'batch':
      return driver.batch(command, values)
  }
}

/** As {@link sendStatement}, for a streamed query; the driver streams in the text protocol only. */
export function sendStream(driver: Connection, statement: PipelinedStatement, values: unknown): Readable {
  return driver.queryStream(commandOf(statement, values), values)
}

// Per-statement options cost the driver a chain of objects; only named placeholders and positional rows need them.
function commandOf({ sql, kind, rowsAsArray = false }: Statement, values: unknown): string | QueryOptions {
  const row: unknown = kind === 'batch' && Array.isArray(values) ? values[0] : values
  const namedPlaceholders = row !== undefined && !Array.isArray(row)
  return namedPlaceholders || rowsAsArray ? { sql, namedPlaceholders, rowsAsArray } : sql
}

/**
 * Encodes the values of a statement for the driver. The driver formats a Date in the zone of this process, ignores
 * functions, and leaves the connection out of step when a value fails while it is written. So values are encoded
 * here, and an invalid value throws before anything is sent.
 */
export function encodeArgs({ args, kind }: Statement, zone: DateZone): unknown {
  if (args === undefined) return undefined
  return kind === 'batch' ? encodeRows(args, zone) : encodeRow(args, zone)
}

function encodeRows(args: Args, zone: DateZone): unknown {
  if (!Array.isArray(args) || args.length === 0) throw new TypeError('a batch requires a list of rows')
  const rows: readonly unknown[] = args
  const width = Array.isArray(rows[0]) ? rows[0].length : undefined
  return rows.map((row, i) => {
    // Rows of different shape are not sent as one command: some could be written before another one is refused.
    const length = Array.isArray(row) ? row.length : undefined
    if (typeof row !== 'object' || row === null || length !== width)
      throw new TypeError(`row ${i} of the batch has another shape than the first row`)
    return encodeRow(row as Args, zone)
  })
}

function encodeRow(args: Args, zone: DateZone): unknown {
  if (isPositional(args)) return args.map((value, i) => encodeValue(value, String(i), zone))
  const encoded: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(args)) encoded[name] = encodeValue(value, `:${name}`, zone)
  return encoded
}

function isPositional(args: Args): args is readonly unknown[] {
  return Array.isArray(args)
}

/**
 * Encodes one value for the driver; `place` names it in errors. Without a zone a Date is only checked. Throws a
 * TypeError for a value that no column holds.
 */
export function encodeValue(value: unknown, place: string, zone: DateZone | undefined): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return value
    case 'number':
      if (Number.isFinite(value)) return value
      throw new TypeError(`argument ${place} is ${value}, which no column holds`)
    case 'bigint':
      return fitsBigint(value) ? value : String(value)
    case 'object':
      return value === null ? null : encodeObject(value, place, zone)
    case 'function':
    case 'symbol':
      throw new TypeError(`argument ${place} is ${typeName(value)}`)
  }
}

function encodeObject(value: object, place: string, zone: DateZone | undefined): unknown {
  if (value instanceof Date) return encodeDate(value, place, zone)
  if (Buffer.isBuffer(value)) return value
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (value instanceof ArrayBuffer) return Buffer.from(value)
  const problem = problemOf(value)
  if (problem !== undefined) throw new TypeError(`argument ${place} is ${problem}`)
  if ('toSqlString' in value && typeof value.toSqlString === 'function') return String(value.toSqlString())
  if (setValues.has(value)) return String(value)
  return isGeometry(value) ? value : documentOf(value, place)
}

function encodeDate(date: Date, place: string, zone: DateZone | undefined): unknown {
  if (Number.isNaN(date.getTime())) throw new TypeError(`argument ${place} is an invalid Date`)
  return zone === undefined ? date : writeDate(date, zone)
}

// What JSON would write as `{}` without an error.
function problemOf(value: object): string | undefined {
  if ('pipe' in value) return 'a stream, which cannot be sent twice'
  if ('then' in value && typeof value.then === 'function') return 'a promise: await it first'
  if (value instanceof Map || value instanceof Set)
    return `a ${value.constructor.name}, which JSON cannot hold`
  return value instanceof RegExp || value instanceof Error ? `a ${value.constructor.name}` : undefined
}

// A value with a text of its own, such as a decimal number, is that text.
function documentOf(value: object, place: string): unknown {
  try {
    if ('toJSON' in value && typeof value.toJSON === 'function') {
      const own: unknown = value.toJSON()
      if (typeof own === 'string') return own
    }
    return JSON.stringify(value)
  } catch (thrown) {
    const { message } = asError(thrown)
    throw new TypeError(`argument ${place} cannot be written as JSON: ${message}`, { cause: thrown })
  }
}

// The range of a signed or unsigned BIGINT. The driver throws beyond it while it writes.
function fitsBigint(value: bigint): boolean {
  return value >= -(2n ** 63n) && value < 2n ** 64n
}

// GeoJSON, which the driver converts to the server's geometry type.
function isGeometry(value: object): boolean {
  return 'type' in value && 'coordinates' in value && Array.isArray(value.coordinates)
}

/** How values are converted to JavaScript. */
export interface ResultRules extends ResultOptions {
  readonly zone: DateZone
  /** Whether rows are lists of values in the order of the columns. */
  readonly rowsAsArray?: boolean
}

/** Converts the driver's result to an {@link Answer}. */
export function readResult(result: unknown, rules: ResultRules): Answer {
  if (!Array.isArray(result)) return readWritten(result as DriverWriteResult, rules)
  const rows = result as DriverRows
  if (rows.meta !== undefined) return readRows(rows, rows.meta, rules)
  // A procedure returns several results; a batch with RETURNING returns rows without columns.
  const several = rows.some((each) => Array.isArray(each))
  if (!several) return { kind: 'rows', rows, columns: noColumns }
  return { kind: 'several', answers: rows.map((each) => readResult(each, rules)) }
}

/** Converts one row of a stream in place. */
export function rowReader(columns: readonly FieldInfo[], rules: ResultRules): (row: Row) => Row {
  const readers = columnReaders(columns, rules)
  return (row) => {
    for (const { key, read } of readers) convert(row, key, read)
    return row
  }
}

/** The driver's result of a write. */
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
  for (const { key, read } of readers) for (const row of rows) convert(row, key, read)
  return { kind: 'rows', rows, columns: meta.map(describeColumn) }
}

/** The name and the type of a column. */
export function describeColumn(column: ColumnMeta): Column {
  return { name: column.name(), type: column.type }
}

interface ColumnReader {
  /** The name of the column, or its place in a positional row. */
  readonly key: string | number
  readonly read: (value: never) => unknown
}

// Most results have no column that needs a conversion.
function columnReaders(columns: readonly FieldInfo[], rules: ResultRules): readonly ColumnReader[] {
  const readers: ColumnReader[] = []
  for (const [i, column] of columns.entries()) {
    const read = columnReader(column, rules)
    if (read !== undefined) readers.push({ key: rules.rowsAsArray === true ? i : column.name(), read })
  }
  return readers
}

function columnReader(column: FieldInfo, rules: ResultRules): ColumnReader['read'] | undefined {
  switch (column.type) {
    case 'BIGINT':
      return rules.bigint === 'bigint' ? undefined : (value: bigint) => readBigint(value, rules)
    case 'FLOAT':
      return (value: number) => readFloat(value, column.scale)
    case 'DATE':
    case 'DATETIME':
    case 'TIMESTAMP':
      return rules.dates === 'string' ? undefined : (value: string) => readDate(value, rules.zone)
    default:
      return textReader(column, rules)
  }
}

function textReader(column: FieldInfo, { json }: ResultRules): ColumnReader['read'] | undefined {
  if (column.isDataTypeFormatJson() || column.type === 'JSON') return json === 'string' ? undefined : readJson
  return (column.flags & setFlag) === 0 ? undefined : readSet
}

// Converts in place: the rows are not shared, and a result may be large.
function convert(row: Row, key: ColumnReader['key'], read: ColumnReader['read']): void {
  const cells = row as Record<string | number, unknown>
  if (cells[key] !== null) cells[key] = read(cells[key] as never)
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

// The flag of a SET column.
const setFlag = 0x800

// The values of SET columns, so that a value that was read is written back as it was, and not as a document.
const setValues = new WeakSet<object>()

function readSet(value: readonly string[]): readonly string[] {
  const members = value.filter((member) => member !== '')
  setValues.add(members)
  return members
}

// The binary protocol gives the nearest double; the text protocol, and so the server's clients, six digits.
function readFloat(value: number, scale: number): number {
  return Number(scale < unspecifiedScale ? value.toFixed(scale) : value.toPrecision(6))
}

const unspecifiedScale = 31

// Not done by the driver: it parses while it reads the socket, and a truncated document (`group_concat_max_len`)
// would end the process.
function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The text of an invalid document is more useful than nothing.
    return text
  }
}

/**
 * The rows of a statement and the effects of a write: `const [row] = await db.query(…)`, `const { affectedRows } =
 * …`.
 */
export interface Result<T = Row> extends Array<T> {
  /** The number of rows written; 0 for a statement that returned rows. */
  readonly affectedRows: number
  /** The first generated AUTO_INCREMENT value; 0 when there was none. */
  readonly insertId: number | bigint | string
  /** The number of warnings. */
  readonly warnings: number
  readonly columns: readonly Column[]
  /** The columns as the `mariadb` driver describes them; empty for a statement without rows. */
  readonly meta: readonly ColumnMeta[]
  /**
   * All results of a procedure, in order; with `execute`, the OUT and INOUT values are one row. Empty for any other
   * statement.
   */
  readonly results: readonly Result[]
}

type Read = Extract<Answer, { kind: 'rows' }>
type Written = Extract<Answer, { kind: 'written' }>

/** Converts an answer to a result. For a procedure: its first rows, and the effects of its last write. */
export function resultOf<T>(answer: Answer): Result<T> {
  if (answer.kind === 'rows') return rowsOf(answer, nothing)
  if (answer.kind === 'written') return writtenOf(answer)
  const read = answer.answers.find((part) => part.kind === 'rows')
  const written = answer.answers.findLast((part) => part.kind === 'written') ?? nothing
  const result: Result<T> = read === undefined ? writtenOf(written) : rowsOf(read, written)
  hide(result, 'results', answer.answers.map(eachResultOf))
  return result
}

// The first result is a list of its own: the whole result refers to all, and not to itself.
function eachResultOf(answer: Answer): Result {
  if (answer.kind !== 'rows') return resultOf(answer)
  const rows = [...answer.rows]
  hide(rows, 'meta', (answer.rows as DriverRows).meta ?? noMeta)
  return resultOf({ ...answer, rows })
}

const noResults: readonly Result[] = Object.freeze([])
const nothing: Written = { kind: 'written', affectedRows: 0, insertId: 0, warnings: 0 }
const noColumns: readonly Column[] = Object.freeze([])
const noMeta: readonly ColumnMeta[] = Object.freeze([])

// A result without rows shows its properties when it is printed.
function writtenOf<T>({ affectedRows, insertId, warnings }: Written): Result<T> {
  const result = Object.assign([] as T[], { affectedRows, insertId, warnings, columns: noColumns })
  hide(result, 'meta', noMeta)
  hide(result, 'results', noResults)
  return result as unknown as Result<T>
}

function rowsOf<T>({ rows, columns }: Read, { affectedRows, insertId, warnings }: Written): Result<T> {
  hide(rows, 'affectedRows', affectedRows)
  hide(rows, 'insertId', insertId)
  hide(rows, 'warnings', warnings)
  hide(rows, 'columns', columns)
  // The driver adds it to the rows of most results.
  if (!('meta' in rows)) hide(rows, 'meta', noMeta)
  hide(rows, 'results', noResults)
  return rows as unknown as Result<T>
}

// One reused descriptor: four new objects for each result would cost more than the rest of the conversion.
const descriptor: PropertyDescriptor = { value: undefined, configurable: true }

// Not enumerable, so that rows print, compare and serialize as a plain list.
function hide(rows: object, name: keyof Result, value: unknown): void {
  descriptor.value = value
  Object.defineProperty(rows, name, descriptor)
}

/** Receives the end of a row stream. */
interface RowStreamListener {
  /** The answer of the server is complete; `thrown` is the error with which it ended. */
  complete(thrown?: unknown): void
  /** Converts the error of the server or of the driver. */
  translate(thrown: unknown): DriverError
  /** The consumer left before the last row. */
  abandoned(): void
}

/** The driver's stream with converted values and errors; its end is always reported. */
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
      // An answer that cannot be read: the end of the connection must not be taken for its reason.
      if (open && error instanceof DriverError) setImmediate(() => ends.abandoned())
      else if (open) ends.abandoned()
      // What is left is read and dropped.
      source.resume()
      done(error)
    },
  })
  const complete = (thrown?: unknown): void => {
    open = false
    ends.complete(thrown)
  }
  source.once('fields', (columns: readonly FieldInfo[]) => {
    answered = true
    read = rowReader(columns, rules)
    const twice = rules.rowsAsArray === true ? undefined : duplicateName(columns)
    if (twice === undefined) rows.emit('fields', columns)
    else rows.destroy(duplicateError(twice))
  })
  source.on('data', (row: Row) => {
    answered = true
    if (rows.destroyed) return
    // Without preceding columns, this is not a row but the result of a write.
    if (read !== undefined && !rows.push(read(row))) source.pause()
  })
  source.on('error', (thrown) => {
    complete(thrown)
    rows.destroy(ends.translate(thrown))
  })
  source.once('end', () => {
    if (open) complete()
    // The driver gives no answer at all on a connection that it considers closed.
    if (answered) rows.push(null)
    else rows.destroy(ends.translate(new Error('the connection was closed')))
  })
  return rows
}

// The driver reports duplicate column names for results, but not for streams.
function duplicateName(columns: readonly FieldInfo[]): string | undefined {
  const names = columns.map((column) => column.name())
  return names.find((name, i) => names.indexOf(name) < i)
}

function duplicateError(name: string): DriverError {
  return unreadableError(
    new Error(`two columns have the same name '${name}'; give one of them an alias with AS`),
  )
}

// An escaped character takes two bytes, and a character of UTF-8 up to three for each unit of its length.
const worstEscape = 2
const worstUnit = 3
// What the protocols add to a value: quotes, the length, the type, an introducer such as `_binary`.
const valueOverhead = 12
// The same for a text in the text protocol, where a value stands for its `?`.
const quoteBytes = 2
const longestDate = 28

/**
 * The values in parts of which each fits into a packet of the server: rows of a batch may need several commands. Throws
 * {@link PacketTooLarge} for a statement, or a row, that does not fit: the server would end the connection over it.
 */
export function partsThatFit(statement: Statement, values: unknown, maxBytes: number): readonly unknown[] {
  const { kind, sql } = statement
  // Most statements fit at the worst: only the others are counted exactly, because an estimate must refuse none.
  if (1 + sql.length * worstUnit + mostBytesOf(values) < maxBytes) return [values]
  const sqlBytes = 1 + Buffer.byteLength(sql)
  if (kind !== 'batch' || !Array.isArray(values)) {
    checkFits(sqlBytes + bytesOf(values, kind), maxBytes)
    return [values]
  }
  const parts: unknown[][] = [[]]
  // A batch repeats the text for each row where the server has no bulk protocol.
  let bytes = sqlBytes
  for (const row of values) {
    const rowBytes = bytesOf(row, kind)
    checkFits(sqlBytes + rowBytes, maxBytes)
    if (bytes + rowBytes >= maxBytes) {
      parts.push([])
      bytes = sqlBytes
    }
    parts.at(-1)?.push(row)
    bytes += rowBytes
  }
  return parts
}

function checkFits(bytes: number, maxBytes: number): void {
  if (bytes >= maxBytes) throw new PacketTooLarge(bytes, maxBytes)
}

function mostBytesOf(value: unknown): number {
  if (typeof value === 'string') return value.length * worstUnit * worstEscape + valueOverhead
  if (ArrayBuffer.isView(value)) return value.byteLength * worstEscape + valueOverhead
  if (typeof value !== 'object' || value === null || value instanceof Date) return 3 * valueOverhead
  let bytes = valueOverhead
  for (const each of Array.isArray(value) ? value : Object.values(value)) bytes += mostBytesOf(each)
  return bytes
}

function bytesOf(value: unknown, kind: Statement['kind']): number {
  const text = kind === 'text'
  if (typeof value === 'string')
    return Buffer.byteLength(value) + (text ? escapesOf(value) + quoteBytes : valueOverhead)
  if (Buffer.isBuffer(value)) return value.length + (text ? bufferEscapes(value) : 0) + valueOverhead
  if (value instanceof Date) return longestDate
  if (typeof value !== 'object' || value === null) return text ? String(value).length : valueOverhead
  let bytes = valueOverhead
  for (const each of Object.values(value)) bytes += bytesOf(each, kind)
  return bytes
}

function escapesOf(value: string): number {
  return value.match(/['"\\\0]/g)?.length ?? 0
}

const escapedBytes: ReadonlySet<number> = new Set([0x00, 0x22, 0x27, 0x5c])

function bufferEscapes(value: Buffer): number {
  let count = 0
  for (const byte of value) if (escapedBytes.has(byte)) count += 1
  return count
}

/** One answer for a batch that was sent in parts. */
export function combineAnswers(answers: readonly Answer[]): Answer {
  const [first] = answers
  if (first === undefined) throw new TypeError('a batch requires a list of rows')
  if (first.kind === 'rows')
    return { ...first, rows: answers.flatMap((answer) => (answer.kind === 'rows' ? answer.rows : [])) }
  if (first.kind !== 'written') return first
  const written = answers.filter((answer) => answer.kind === 'written')
  const sum = (name: 'affectedRows' | 'warnings'): number =>
    written.reduce((total, answer) => total + answer[name], 0)
  return { ...first, affectedRows: sum('affectedRows'), warnings: sum('warnings') }
}
