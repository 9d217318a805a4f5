import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter, encodePackets, PacketReader } from '../../src/mariadb/wire/packets.ts'
import { decodeDatetime, encodeDatetime } from '../../src/mariadb/wire/values.ts'
import { MalformedMessage } from '../../src/server/byte-cursor.ts'

const payload = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))

describe('packets', () => {
  it('come out as they went in, wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(payload, { minLength: 1 }), fc.array(fc.nat(60)), (payloads, cuts) => {
        const reader = new PacketReader()
        const seen: Buffer[] = []
        for (const chunk of cutAt(encodePackets(payloads, 3), cuts)) {
          reader.push(chunk)
          for (let packet = reader.next(); packet !== undefined; packet = reader.next())
            seen.push(packet.payload)
        }
        expect(seen).toEqual(payloads)
      }),
    )
  })

  it.each([0xff_fffe, 0xff_ffff, 0x100_0000])('of %d bytes are split and joined', (length) => {
    const large = Buffer.alloc(length, 7)
    const bytes = encodePackets([large], 0)
    const reader = new PacketReader()
    reader.push(bytes.subarray(0, 5))
    expect(reader.next()).toBeUndefined()
    reader.push(bytes.subarray(5))
    const packet = reader.next()
    expect([packet?.payload.equals(large), packet?.wireBytes]).toEqual([true, bytes.length])
  })
})

describe('values on the wire', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 31),
        fc.string(),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.double({ noNaN: true }),
        (n, text, large, real) => {
          const bytes = new ByteWriter()
            .length(n)
            .sized(text)
            .longlong(large)
            .double(real)
            .nullText('end')
            .take()
          const reader = new ByteReader(bytes)
          const read = [
            reader.length(),
            reader.sized().toString('utf8'),
            reader.longlong(),
            reader.double(),
            reader.nullText(),
          ]
          expect(read).toEqual([n, Buffer.from(text).toString('utf8'), large, real, 'end'])
          expect(reader.left).toBe(0)
        },
      ),
    )
  })

  it.each([0xfa, 0xfb, 0xffff, 0x1_0000, 0xff_ffff, 0x100_0000])('have a length of %d', (length) => {
    expect(new ByteReader(new ByteWriter().length(length).take()).length()).toBe(length)
  })

  it.each(['2026-01-02 00:00:00', '2026-12-31 23:59:59', '2026-01-02 03:04:05.000678'])(
    'are the date %s',
    (date) => {
      expect(decodeDatetime(encodeDatetime(date))).toBe(date)
    },
  )

  it('are never read beyond their end', () => {
    expect(() => new ByteReader(Buffer.from([5, 1])).sized()).toThrow(MalformedMessage)
  })
})

function cutAt(bytes: Buffer, cuts: readonly number[]): readonly Buffer[] {
  const places = [...new Set([0, ...cuts.filter((cut) => cut < bytes.length), bytes.length])].sort(
    (a, b) => a - b,
  )
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end))
}
