import { invalidOption, typeName } from '@ha/core/driver'

/** A table of headers in the form that the driver encodes, and its size on the wire. */
export interface EncodableTable {
  readonly table: Readonly<Record<string, unknown>>
  readonly bytes: number
}

// Deeper values are taken for cycles.
const maxDepth = 32

interface Field {
  readonly value: unknown
  /** With the octet of its type. */
  readonly bytes: number
}

/**
 * Converts headers to AMQP 0-9-1 field values: a `Date` becomes a timestamp in whole seconds, a `bigint` a 64-bit
 * integer, bytes of any kind a byte array, and a number that is no 64-bit integer a double. Throws `config-invalid`
 * with the path of a value that AMQP has no type for.
 */
export function encodableTable(
  headers: Readonly<Record<string, unknown>>,
  path: string,
  depth = 0,
): EncodableTable {
  if (depth > maxDepth) throw invalidOption(path, `expected at most ${maxDepth} levels, without cycles`)
  const table: Record<string, unknown> = {}
  // The length of the table.
  let bytes = 4
  for (const [name, given] of Object.entries(headers)) {
    if (given === undefined) continue
    const nameBytes = Buffer.byteLength(name)
    if (nameBytes > 255) throw invalidOption(path, 'expected names of at most 255 bytes')
    const field = encodableField(given, `${path}.${name}`, depth)
    Object.defineProperty(table, name, { value: field.value, enumerable: true })
    bytes += 1 + nameBytes + field.bytes
  }
  return { table, bytes }
}

function encodableField(value: unknown, path: string, depth: number): Field {
  switch (typeof value) {
    case 'string':
      return { value, bytes: 5 + Buffer.byteLength(value) }
    case 'boolean':
      return { value, bytes: 2 }
    case 'number':
      return encodableNumber(value)
    case 'bigint':
      if (BigInt.asIntN(64, value) === value) return typed('long', value, 9)
      throw invalidOption(path, 'expected an integer of at most 64 bits')
    case 'undefined':
      // Only within a list: its other values keep their places.
      return { value: null, bytes: 1 }
    case 'object':
      return value === null ? { value, bytes: 1 } : encodableObject(value, path, depth)
    default:
      throw invalidOption(path, `expected a value that AMQP has a type for, got ${typeName(value)}`)
  }
}

const minInt64 = -(2 ** 63)

// The driver takes NaN, -Infinity and numbers below the 64-bit integers for integers.
function encodableNumber(value: number): Field {
  if (!Number.isInteger(value) || value < minInt64 || value >= -minInt64) return typed('double', value, 9)
  if (value >= -0x80 && value < 0x80) return { value, bytes: 2 }
  if (value >= -0x8000 && value < 0x8000) return { value, bytes: 3 }
  return { value, bytes: value >= -0x80000000 && value < 0x80000000 ? 5 : 9 }
}

function encodableObject(value: object, path: string, depth: number): Field {
  if (value instanceof Date) return encodableDate(value, path)
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return { value: bytes, bytes: 5 + bytes.length }
  }
  if (Array.isArray(value)) {
    if (depth > maxDepth) throw invalidOption(path, `expected at most ${maxDepth} levels, without cycles`)
    const fields = Array.from(value, (item, i) => encodableField(item, `${path}[${i}]`, depth + 1))
    return {
      value: fields.map((field) => field.value),
      bytes: fields.reduce((sum, { bytes }) => sum + bytes, 5),
    }
  }
  if (Object.hasOwn(value, '!')) return markedField(value, path)
  const prototype: unknown = Object.getPrototypeOf(value)
  const isPlain = prototype === null || prototype === Object.prototype
  // A Map, Set, Error or Promise would arrive as an empty table.
  if (!isPlain && Object.keys(value).length === 0)
    throw invalidOption(path, 'expected a plain object, a list, a Date, bytes, or a simple value')
  const { table, bytes } = encodableTable(Object.fromEntries(Object.entries(value)), path, depth + 1)
  return { value: table, bytes: 1 + bytes }
}

function encodableDate(date: Date, path: string): Field {
  const seconds = Math.floor(date.getTime() / 1_000)
  if (seconds >= 0) return typed('timestamp', seconds, 9)
  throw invalidOption(path, 'expected a valid Date, from 1970 on')
}

const integerRanges: Readonly<Record<string, readonly [min: number, max: number]>> = {
  byte: [-0x80, 0x7f],
  int8: [-0x80, 0x7f],
  unsignedbyte: [0, 0xff],
  uint8: [0, 0xff],
  short: [-0x8000, 0x7fff],
  int16: [-0x8000, 0x7fff],
  unsignedshort: [0, 0xffff],
  uint16: [0, 0xffff],
  int: [-0x80000000, 0x7fffffff],
  int32: [-0x80000000, 0x7fffffff],
  unsignedint: [0, 0xffffffff],
  uint32: [0, 0xffffffff],
  long: [minInt64, 2 ** 63 - 1],
  int64: [minInt64, 2 ** 63 - 1],
  timestamp: [0, Number.MAX_SAFE_INTEGER],
}

// The driver's way to name a type: `{ '!': 'timestamp', value: 0 }`. Deliveries have decimals in this form.
function markedField(marked: object, path: string): Field {
  const { '!': type, value } = marked as { readonly '!'?: unknown; readonly value?: unknown }
  const range = typeof type === 'string' ? integerRanges[type] : undefined
  const isNumber = typeof value === 'number' || typeof value === 'bigint'
  const isInRange = range !== undefined && isNumber && value >= range[0] && value <= range[1]
  if (isInRange && (typeof value === 'bigint' || Number.isInteger(value))) return typed(type, value, 9)
  if ((type === 'double' || type === 'float64' || type === 'float') && typeof value === 'number')
    return typed(type, value, 9)
  if (type === 'decimal' && isDecimal(value)) return typed(type, value, 6)
  const expected = `${Object.keys(integerRanges).join(', ')}, double, float64, float or decimal`
  throw invalidOption(path, `expected { '!': type, value } with a value of that type: ${expected}`)
}

function isDecimal(value: unknown): boolean {
  const { places, digits } = (value ?? {}) as { readonly places?: unknown; readonly digits?: unknown }
  return isUnsigned(places, 0xff) && isUnsigned(digits, 0xffffffff)
}

function isUnsigned(value: unknown, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max
}

// At most 8 bytes beside the type.
function typed(type: unknown, value: unknown, bytes: number): Field {
  return { value: { '!': type, value }, bytes }
}
