import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AmqpReader, AmqpWriter } from '../../src/rabbit/wire/bytes.ts'
import { readTable, writeTable } from '../../src/rabbit/wire/field-tables.ts'
import { encodeFrame, type Frame, FrameReader } from '../../src/rabbit/wire/frames.ts'
import { readMethod, writeMethod } from '../../src/rabbit/wire/methods.ts'
import { readProperties, writeProperties } from '../../src/rabbit/wire/properties.ts'
import { protocolHeader } from '../../src/rabbit/wire/protocol.ts'
import { MalformedMessage } from '../../src/server/byte-cursor.ts'
import { counted, fieldTable, frame, int, method, shortText } from './arbitraries.ts'

describe('on the wire', () => {
  it('a table reads as it was written', () => {
    fc.assert(
      fc.property(fieldTable, (table) => {
        const to = new AmqpWriter()
        writeTable(to, table)
        expect(readTable(new AmqpReader(to.take()))).toEqual(table)
      }),
    )
  })

  it('every method reads as it was written', () => {
    fc.assert(
      fc.property(method, (written) => {
        const to = new AmqpWriter()
        writeMethod(to, written)
        expect(readMethod(new AmqpReader(to.take()))).toEqual(written)
      }),
      { numRuns: 500 },
    )
  })

  it('properties read as they were written', () => {
    const properties = fc.record(
      {
        contentType: shortText,
        headers: fieldTable,
        deliveryMode: int(0, 255),
        messageId: shortText,
        timestamp: counted,
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(properties, (written) => {
        expect(readProperties(writeProperties(written))).toEqual(written)
      }),
    )
  })

  it('frames read as they were written, however the bytes are sliced', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 8 }),
        fc.array(int(1, 5_000), { minLength: 1 }),
        (frames, slices) => {
          const stream = Buffer.concat([protocolHeader, ...frames.flatMap(encodeFrame)])
          const [header, ...read] = readSliced(stream, slices)
          expect(header?.kind).toBe('protocol-header')
          expect(read).toEqual(frames)
        },
      ),
    )
  })

  it('bytes that are no frames are told from bytes that are missing, and nothing else is thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        try {
          readSliced(Buffer.concat([protocolHeader, octets]), [300])
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessage)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('a cut method is malformed, wherever it is cut', () => {
    fc.assert(
      fc.property(method, fc.nat(), (written, cut) => {
        const to = new AmqpWriter()
        writeMethod(to, written)
        const whole = to.take()
        fc.pre(whole.length > 4)
        expect(() => readMethod(new AmqpReader(whole.subarray(0, cut % whole.length)))).toThrow(
          MalformedMessage,
        )
      }),
    )
  })
})

function readSliced(stream: Buffer, slices: readonly number[]): readonly Frame[] {
  const reader = new FrameReader()
  reader.allow(2 ** 24)
  const frames: Frame[] = []
  let at = 0
  for (let i = 0; at < stream.length; i++) {
    const size = slices[i % slices.length] ?? 1
    reader.push(stream.subarray(at, at + size))
    at += size
    for (let read = reader.next(); read !== undefined; read = reader.next()) frames.push(read)
  }
  return frames
}
