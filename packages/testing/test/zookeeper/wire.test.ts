import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MalformedMessage } from '../../src/server/byte-cursor.ts'
import { ClientMessageReader, framed, lengthOf } from '../../src/zookeeper/wire/frames.ts'
import { JuteReader, JuteWriter } from '../../src/zookeeper/wire/records.ts'
import { decodeRequest } from '../../src/zookeeper/wire/requests.ts'

const body = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))
const maxBytes = 1_000

describe('frames', () => {
  it('come out as they went in, wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(body, { minLength: 1 }), fc.array(fc.nat(100)), (bodies, cuts) => {
        const reader = new ClientMessageReader(maxBytes)
        const seen: Buffer[] = []
        for (const chunk of cutAt(Buffer.concat(bodies.map(framed)), cuts)) {
          reader.push(chunk)
          for (let frame = reader.next(); frame?.kind === 'record'; frame = reader.next())
            seen.push(frame.body)
        }
        expect(seen).toEqual(bodies)
      }),
    )
  })

  it.each([-1, maxBytes + 1])('cannot have %d bytes', (length) => {
    const reader = new ClientMessageReader(maxBytes)
    reader.push(lengthOf(length))
    expect(() => reader.next()).toThrow(MalformedMessage)
  })

  it('may be a word of four letters when nothing was said before', () => {
    const reader = new ClientMessageReader(maxBytes)
    reader.push(Buffer.from('ruok'))
    expect(reader.next()).toEqual({ kind: 'word', word: 'ruok' })
  })
})

describe('values on the wire', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.boolean(),
        fc.option(body),
        fc.array(fc.string()),
        (int, long, flag, bytes, texts) => {
          const writer = new JuteWriter().int(int).long(long).flag(flag).buffer(bytes)
          const reader = new JuteReader(writer.list(texts, (text) => writer.text(text)).take())
          const read = [reader.int(), reader.long(), reader.flag(), reader.buffer()]
          expect(read).toEqual([int, long, flag, bytes])
          expect(reader.list(() => reader.text())).toEqual(texts.map((text) => Buffer.from(text).toString()))
          expect(reader.left).toBe(0)
        },
      ),
    )
  })

  it.each([
    ['a length beyond the end', new JuteWriter().int(5).int(0)],
    ['a length below none', new JuteWriter().int(-2)],
    ['more items than bytes', new JuteWriter().int(1_000_000)],
  ])('cannot have %s', (_, writer) => {
    const reader = new JuteReader(writer.take())
    expect(() => reader.list(() => reader.text())).toThrow(MalformedMessage)
  })
})

describe('a request', () => {
  it('of any bytes is read, or refused as malformed, and nothing else', () => {
    fc.assert(
      fc.property(fc.integer({ min: -11, max: 110 }), body, (type, rest) => {
        const bytes = Buffer.concat([new JuteWriter().int(1).int(type).take(), rest])
        try {
          expect(decodeRequest(bytes).xid).toBe(1)
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessage)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

function cutAt(bytes: Buffer, cuts: readonly number[]): readonly Buffer[] {
  const inside = cuts.filter((cut) => cut < bytes.length)
  const places = [...new Set([0, ...inside, bytes.length])].sort((a, b) => a - b)
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end))
}
