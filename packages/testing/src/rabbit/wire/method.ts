import { MalformedMessage } from '../../server/byte-cursor.ts'
import { binary } from './binary.ts'
import { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'
import { readTable, writeTable } from './field-table.ts'
import type { FieldTable } from './field-value.ts'
import { type FieldKind, type MethodName, methodTable } from './method-table.ts'

interface KindValues {
  readonly octet: number
  readonly short: number
  readonly long: number
  readonly longlong: number
  readonly bit: boolean
  readonly shortstr: string
  readonly longstr: string
  readonly table: FieldTable
}

/** The fields of one method, typed by the table. */
export type Fields<N extends MethodName> = {
  readonly [F in keyof (typeof methodTable)[N]['fields']]: (typeof methodTable)[N]['fields'][F] extends FieldKind
    ? KindValues[(typeof methodTable)[N]['fields'][F]]
    : never
}

/** The method of that name, or one of those names, with its fields. */
export type MethodOf<N extends MethodName> = {
  readonly [M in N]: { readonly name: M; readonly fields: Fields<M> }
}[N]

/** Any method. */
export type Method = MethodOf<MethodName>

type FieldList = readonly (readonly [string, FieldKind])[]

interface Shape {
  readonly name: MethodName
  readonly classId: number
  readonly methodId: number
  readonly fields: FieldList
}

const shapes: readonly Shape[] = (Object.keys(methodTable) as MethodName[]).map((name) => {
  const { id, fields } = methodTable[name]
  return { name, classId: id[0], methodId: id[1], fields: Object.entries(fields) }
})

const shapeByName: ReadonlyMap<string, Shape> = new Map(shapes.map((shape) => [shape.name, shape]))
const shapeById: ReadonlyMap<number, Shape> = new Map(shapes.map((shape) => [idOf(shape), shape]))

/** Reads a method: its ids, then its fields. */
export function readMethod(from: ByteReader): Method {
  const [classId, methodId] = [from.short(), from.short()]
  const shape = shapeById.get(idOf({ classId, methodId }))
  if (shape === undefined)
    throw new MalformedMessage(`the fake broker knows no method ${classId}.${methodId}`)
  const fields = from.bytes(from.left)
  try {
    // The table that the types are made of is the table that is read by.
    return { name: shape.name, fields: readFields(new ByteReader(fields), shape.fields) } as Method
  } catch (error) {
    throw new MalformedMessage(`cannot decode ${binary(fields)}`, { cause: error })
  }
}

/** Writes a method as {@link readMethod} reads it. */
export function writeMethod(to: ByteWriter, method: Method): void {
  const shape = shapeOf(method.name)
  to.short(shape.classId)
  to.short(shape.methodId)
  writeFields(to, shape.fields, method.fields)
}

/** The names of a method's fields. */
export function fieldNames(name: MethodName): readonly string[] {
  return shapeOf(name).fields.map(([field]) => field)
}

/** The class and method id, as a close method names the culprit. */
export function idsOf(name: MethodName): { readonly classId: number; readonly methodId: number } {
  return shapeOf(name)
}

function shapeOf(name: MethodName): Shape {
  const shape = shapeByName.get(name)
  if (shape === undefined) throw new MalformedMessage(`unknown method ${name}`)
  return shape
}

function idOf(ids: { readonly classId: number; readonly methodId: number }): number {
  return ids.classId * 0x1_0000 + ids.methodId
}

function readFields(from: ByteReader, fields: FieldList): Readonly<Record<string, unknown>> {
  const read: Record<string, unknown> = {}
  let bits = { octet: 0, used: 8 }
  for (const [name, kind] of fields) {
    if (kind !== 'bit') {
      bits = { octet: 0, used: 8 }
      read[name] = readField(from, kind)
      continue
    }
    if (bits.used === 8) bits = { octet: from.octet(), used: 0 }
    read[name] = (bits.octet & (1 << bits.used)) !== 0
    bits.used += 1
  }
  return read
}

function readField(from: ByteReader, kind: Exclude<FieldKind, 'bit'>): unknown {
  return kind === 'table' ? readTable(from) : from[kind]()
}

function writeFields(to: ByteWriter, fields: FieldList, values: Readonly<Record<string, unknown>>): void {
  const bits: boolean[] = []
  for (const [name, kind] of fields) {
    if (kind === 'bit') bits.push(values[name] === true)
    else {
      flushBits(to, bits)
      writeField(to, kind, values[name])
    }
  }
  flushBits(to, bits)
}

// No method has more than eight bits in a row.
function flushBits(to: ByteWriter, bits: boolean[]): void {
  if (bits.length === 0) return
  to.octet(bits.splice(0).reduce((octet, bit, i) => octet | (bit ? 1 << i : 0), 0))
}

function writeField(to: ByteWriter, kind: Exclude<FieldKind, 'bit'>, value: unknown): void {
  if (kind === 'table') writeTable(to, value as FieldTable)
  else if (kind === 'shortstr' || kind === 'longstr') to[kind](String(value))
  else to[kind](Number(value))
}
