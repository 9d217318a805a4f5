import type { Readable } from 'node:stream'
import type { Connection, QueryOptions } from 'mariadb'
import { type DateZone, writeDate } from './dates.ts'
import type { Args, PipelinedStatement, Statement } from './statement.ts'

/** Hands a statement to the driver. What comes back is the driver's own result, or its own error. */
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

/** As {@link sendStatement}, for a query whose rows are streamed: the driver does so in the plain protocol only. */
export function sendStream(driver: Connection, statement: PipelinedStatement, values: unknown): Readable {
  return driver.queryStream(commandOf(statement, values), values)
}

// Options on a single statement cost the driver a chain of objects: only names need one.
function commandOf({ sql, kind }: Statement, values: unknown): string | QueryOptions {
  const row: unknown = kind === 'batch' && Array.isArray(values) ? values[0] : values
  return row === undefined || Array.isArray(row) ? sql : { sql, namedPlaceholders: true }
}

/**
 * The values of a statement as the driver may be given them. The driver writes a Date in the zone of this process,
 * writes nothing at all for a function, and loses its place on the connection when a value fails while it is written:
 * so each is written out here, and what cannot be written throws before anything is sent.
 */
export function encodeArgs({ args, kind }: Statement, zone: DateZone): unknown {
  if (args === undefined) return undefined
  return kind === 'batch' ? encodeRows(args, zone) : encodeRow(args, kind === 'text', zone)
}

function encodeRows(args: Args, zone: DateZone): unknown {
  if (!Array.isArray(args) || args.length === 0) throw new TypeError('a batch takes a list of rows')
  const rows: readonly unknown[] = args
  const width = Array.isArray(rows[0]) ? rows[0].length : undefined
  return rows.map((row, i) => {
    // Rows that differ are not sent as one command: some could be written before another is refused.
    const length = Array.isArray(row) ? row.length : undefined
    if (typeof row !== 'object' || row === null || length !== width)
      throw new TypeError(`row ${i} of the batch is not like its first`)
    return encodeRow(row as Args, false, zone)
  })
}

function encodeRow(args: Args, lists: boolean, zone: DateZone): unknown {
  if (isPositional(args)) return args.map((value, i) => encodeValue(value, i, lists, zone))
  const encoded: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(args)) encoded[name] = encodeValue(value, name, lists, zone)
  return encoded
}

function isPositional(args: Args): args is readonly unknown[] {
  return Array.isArray(args)
}

function encodeValue(value: unknown, place: string | number, lists: boolean, zone: DateZone): unknown {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'undefined':
      return value
    case 'bigint':
      return fitsBigint(value) ? value : String(value)
    case 'object':
      return value === null ? null : encodeObject(value, place, lists, zone)
    case 'function':
    case 'symbol':
      throw new TypeError(`argument ${place} is a ${typeof value}`)
  }
}

function encodeObject(value: object, place: string | number, lists: boolean, zone: DateZone): unknown {
  if (value instanceof Date) return writeDate(value, zone)
  if (Buffer.isBuffer(value)) return value
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if ('pipe' in value) throw new TypeError(`argument ${place} is a stream, which cannot be sent again`)
  if ('toSqlString' in value && typeof value.toSqlString === 'function') return String(value.toSqlString())
  // `IN (?)`: the plain protocol writes a list of values, the binary one has none.
  if (lists && Array.isArray(value)) return value.map((each) => encodeValue(each, place, false, zone))
  return isGeometry(value) ? value : JSON.stringify(value)
}

// What a BIGINT, signed or not, can hold; the driver throws on less while it writes.
function fitsBigint(value: bigint): boolean {
  return value >= -(2n ** 63n) && value < 2n ** 64n
}

// GeoJSON, which the driver writes as the server's own geometry.
function isGeometry(value: object): boolean {
  return 'type' in value && 'coordinates' in value && Array.isArray(value.coordinates)
}
