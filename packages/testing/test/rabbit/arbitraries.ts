import fc from 'fast-check'
import type { FieldTable, FieldValue } from '../../src/rabbit/wire/field-tables.ts'
import type { Frame } from '../../src/rabbit/wire/frames.ts'
import { type FieldKind, type Method, type MethodName, methodTable } from '../../src/rabbit/wire/methods.ts'

/** A text that fits into a short string. */
export const shortText: fc.Arbitrary<string> = fc.string({ maxLength: 60 })
/** A whole number. */
export const int = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max })
/** A whole number of 64 bits that a double can hold. */
export const counted: fc.Arbitrary<number> = int(0, Number.MAX_SAFE_INTEGER)

const fieldValue = fc.letrec<{ value: FieldValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.record({ type: fc.constant('longstr' as const), value: fc.string() }),
    fc.record({ type: fc.constant('bool' as const), value: fc.boolean() }),
    fc.record({ type: fc.constant('byte' as const), value: int(-128, 127) }),
    fc.record({ type: fc.constant('unsignedbyte' as const), value: int(0, 255) }),
    fc.record({ type: fc.constant('short' as const), value: int(-(2 ** 15), 2 ** 15 - 1) }),
    fc.record({ type: fc.constant('unsignedshort' as const), value: int(0, 2 ** 16 - 1) }),
    fc.record({ type: fc.constant('signedint' as const), value: int(-(2 ** 31), 2 ** 31 - 1) }),
    fc.record({ type: fc.constant('unsignedint' as const), value: int(0, 2 ** 32 - 1) }),
    fc.record({
      type: fc.constant('long' as const),
      value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    }),
    fc.record({ type: fc.constant('float' as const), value: fc.float({ noNaN: true }) }),
    fc.record({ type: fc.constant('double' as const), value: fc.double({ noNaN: true }) }),
    fc.record({ type: fc.constant('timestamp' as const), value: counted }),
    fc.record({
      type: fc.constant('decimal' as const),
      value: fc.record({ places: int(0, 255), digits: int(0, 2 ** 32 - 1) }),
    }),
    fc.record({
      type: fc.constant('binary' as const),
      value: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    }),
    fc.record({ type: fc.constant('void' as const), value: fc.constant(null) }),
    fc.record({ type: fc.constant('array' as const), value: fc.array(tie('value'), { maxLength: 4 }) }),
    fc.record({
      type: fc.constant('table' as const),
      value: fc.array(fc.tuple(shortText, tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
    }),
  ),
})).value
/** Any field table. */
export const fieldTable: fc.Arbitrary<FieldTable> = fc
  .array(fc.tuple(shortText, fieldValue), { maxLength: 6 })
  .map((entries) => new Map(entries))

const kinds: Readonly<Record<FieldKind, fc.Arbitrary<unknown>>> = {
  octet: int(0, 255),
  short: int(0, 2 ** 16 - 1),
  long: int(0, 2 ** 32 - 1),
  longlong: counted,
  bit: fc.boolean(),
  shortstr: shortText,
  longstr: fc.string(),
  table: fieldTable,
}

/** Any method with any fields. */
export const method: fc.Arbitrary<Method> = fc
  .constantFrom(...(Object.keys(methodTable) as MethodName[]))
  .chain((name) => {
    const fields: Readonly<Record<string, FieldKind>> = methodTable[name].fields
    const values = Object.fromEntries(Object.entries(fields).map(([field, kind]) => [field, kinds[kind]]))
    return fc.record(values).map((read) => ({ name, fields: { ...read } }) as Method)
  })

const channel = int(0, 65_535)
const bytes = fc.uint8Array({ maxLength: 9_000 }).map((octets) => Buffer.from(octets))
/** Any frame but the protocol header. */
export const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({ kind: fc.constant('method' as const), channel, method }),
  fc.record({
    kind: fc.constant('content-header' as const),
    channel,
    classId: fc.constant(60),
    bodyBytes: counted,
    properties: bytes,
  }),
  fc.record({ kind: fc.constant('content-body' as const), channel, bytes }),
  fc.record({ kind: fc.constant('heartbeat' as const), channel }),
)
