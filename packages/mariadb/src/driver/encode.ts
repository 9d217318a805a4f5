import type { Readable } from 'node:stream'
import type { Connection, QueryOptions } from 'mariadb'
import { type DateZone, writeDate } from './dates.ts'
import type { Args, PipelinedStatement, Statement } from './statement.ts'

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

// Per-statement options cost the driver a chain of objects; only named placeholders need them.
function commandOf({ sql, kind }: Statement, values: unknown): string | QueryOptions {
  const row: unknown = kind === 'batch' && Array.isArray(values) ? values[0] : values
  return row === undefined || Array.isArray(row) ? sql : { sql, namedPlaceholders: true }
}

/**
 * Encodes the values of a statement for the driver. The driver formats a Date in the zone of this process, ignores
 * functions, and leaves the connection out of step when a value fails while it is written. So values are encoded
 * here, and an invalid value throws before anything is sent.
 */
export function encodeArgs({ args, kind }: Statement, zone: DateZone): unknown {
  if (args === undefined) return undefined
  return kind === 'batch' ? encodeRows(args, zone) : encodeRow(args, kind === 'text', zone)
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
  if ('pipe' in value) throw new TypeError(`argument ${place} is a stream, which cannot be sent twice`)
  if ('toSqlString' in value && typeof value.toSqlString === 'function') return String(value.toSqlString())
  // `IN (?)`: the text protocol expands a list of values, the binary protocol cannot.
  if (lists && Array.isArray(value)) return value.map((each) => encodeValue(each, place, false, zone))
  return isGeometry(value) ? value : JSON.stringify(value)
}

// The range of a signed or unsigned BIGINT. The driver throws beyond it while it writes.
function fitsBigint(value: bigint): boolean {
  return value >= -(2n ** 63n) && value < 2n ** 64n
}

// GeoJSON, which the driver converts to the server's geometry type.
function isGeometry(value: object): boolean {
  return 'type' in value && 'coordinates' in value && Array.isArray(value.coordinates)
}
