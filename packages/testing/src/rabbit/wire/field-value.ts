/**
 * A value in a field table with the type it has on the wire, named as RabbitMQ names it in its reply texts. The type is
 * kept because a queue argument of another type is another argument, and because a header must leave as it came.
 */
export type FieldValue =
  | { readonly type: NumberType; readonly value: number }
  | { readonly type: 'long'; readonly value: bigint }
  | { readonly type: 'longstr'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'decimal'; readonly value: Decimal }
  | { readonly type: 'binary'; readonly value: Buffer }
  | { readonly type: 'array'; readonly value: readonly FieldValue[] }
  | { readonly type: 'table'; readonly value: FieldTable }
  | { readonly type: 'void'; readonly value: null }

/** The types whose values are plain numbers here. */
export type NumberType =
  | 'byte'
  | 'unsignedbyte'
  | 'short'
  | 'unsignedshort'
  | 'signedint'
  | 'unsignedint'
  | 'float'
  | 'double'
  | 'timestamp'

/** A number with so many places behind the point. */
export interface Decimal {
  readonly places: number
  readonly digits: number
}

/** Names and values in the order in which they came. */
export type FieldTable = ReadonlyMap<string, FieldValue>

/** A table without fields. */
export const emptyTable: FieldTable = new Map()

/** What {@link fieldTable} makes a table of. */
export type PlainValue = string | number | boolean | null | readonly PlainValue[] | PlainTable

/** Plain values by name. */
export interface PlainTable {
  readonly [name: string]: PlainValue
}

/** A table out of plain values: text is longstr, a whole number signedint, another one double. */
export function fieldTable(plain: PlainTable): FieldTable {
  return new Map(Object.entries(plain).map(([name, value]) => [name, fieldValue(value)]))
}

/** One {@link FieldValue} out of a plain value. */
export function fieldValue(plain: PlainValue): FieldValue {
  if (plain === null) return { type: 'void', value: null }
  if (typeof plain === 'string') return { type: 'longstr', value: plain }
  if (typeof plain === 'boolean') return { type: 'bool', value: plain }
  if (typeof plain === 'number')
    return { type: Number.isInteger(plain) ? 'signedint' : 'double', value: plain }
  if (isList(plain)) return { type: 'array', value: plain.map(fieldValue) }
  return { type: 'table', value: fieldTable(plain) }
}

function isList(plain: readonly PlainValue[] | PlainTable): plain is readonly PlainValue[] {
  return Array.isArray(plain)
}

/** A table as a plain object, to be read by people and compared by tests. */
export function plainTable(table: FieldTable): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...table].map(([name, value]) => [name, plainValue(value)]))
}

function plainValue(field: FieldValue): unknown {
  if (field.type === 'table') return plainTable(field.value)
  if (field.type === 'array') return field.value.map(plainValue)
  if (field.type === 'long') return Number(field.value)
  return field.value
}
