import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameReader } from '../../src/connection/wire.ts'
import { MalformedError } from '../../src/protocol/error-codes.ts'
import { framed, int } from './raw-peer.ts'

describe('the frames of a socket', () => {
  it('are the same however the bytes are cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 40 }).map(Buffer.from), { maxLength: 8 })
    const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(bodies, cuts, (expected, sizes) => {
        const bytes = Buffer.concat(expected.map((body) => framed(body)))
        const frames = new FrameReader(40)
        const read = chunksOf(bytes, sizes).flatMap((chunk) =>
          [...frames.read(chunk)].map(({ bytes }) => [...bytes]),
        )
        expect(read).toEqual(expected.map((body) => [...body]))
      }),
    )
  })

  it('may come one byte at a time, at the cost of one copy', () => {
    const bytes = framed(Buffer.alloc(1_000_000, 7))
    const frames = new FrameReader(1_000_000)
    const lengths: number[] = []
    for (let i = 0; i < bytes.length; i++) {
      for (const frame of frames.read(bytes.subarray(i, i + 1))) lengths.push(frame.bytes.length)
    }
    expect(lengths).toEqual([1_000_000])
  })

  it('are not believed to be shorter than nothing', () => {
    const frames = new FrameReader(40)
    expect(() => [...frames.read(int(-1))]).toThrow(MalformedError)
  })

  it('that are too long are told of by their first bytes at once, and skipped however the bytes are cut', () => {
    const long = Buffer.alloc(1_000, 7)
    const bytes = Buffer.concat([framed(long), framed(Buffer.of(1)), framed(long), framed(Buffer.of(2))])
    const head = { bytes: long.subarray(0, 16), wholeBytes: 1_000 }
    const expected = [
      head,
      { bytes: Buffer.of(1), wholeBytes: 1 },
      head,
      { bytes: Buffer.of(2), wholeBytes: 1 },
    ]
    for (let size = 1; size < bytes.length; size += 13) {
      const frames = new FrameReader(40)
      const read = chunksOf(bytes, [size]).flatMap((chunk) => [...frames.read(chunk)])
      expect(read, `in pieces of ${size}`).toEqual(expected)
    }
    expect([...new FrameReader(40).read(bytes.subarray(0, 20))]).toEqual([head])
  })

  it('that came before a length that cannot be are handed over', () => {
    const read: Buffer[] = []
    const frames = new FrameReader(40)
    const readAll = (): void => {
      for (const { bytes } of frames.read(Buffer.concat([framed(Buffer.of(1)), int(-5)]))) read.push(bytes)
    }
    expect(readAll).toThrow(MalformedError)
    expect(read).toEqual([Buffer.of(1)])
  })
})

function chunksOf(bytes: Buffer, sizes: readonly number[]): readonly Buffer[] {
  const chunks: Buffer[] = []
  let at = 0
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}
