import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Fault } from '../../src/proxy/faults.ts'
import { type HeldItem, keepsReading } from '../../src/proxy/next-step.ts'
import { bytes, type Departure, departures, ending, stateOf } from './virtual-direction.ts'

interface Case {
  readonly name: string
  readonly faults: readonly Fault[]
  readonly arrivals: readonly HeldItem[]
  readonly leaves: readonly Departure[]
}

const at = (atMs: number, what: string): Departure => ({ atMs, what })

const cases: readonly Case[] = [
  {
    name: 'without faults everything leaves as it came',
    faults: [],
    arrivals: [bytes('ab', 1), bytes('c', 2), ending('end', 3)],
    leaves: [at(1, 'ab'), at(2, 'c'), at(3, '<end>')],
  },
  {
    name: 'latency delays the bytes and the end alike',
    faults: [{ kind: 'latency', delayMs: 200 }],
    arrivals: [bytes('a', 0), bytes('b', 50), ending('reset', 60)],
    leaves: [at(200, 'a'), at(250, 'b'), at(260, '<reset>')],
  },
  {
    name: 'jitter holds later bytes up and never lets them overtake',
    faults: [{ kind: 'latency', delayMs: 10, jitterMs: 100 }],
    arrivals: [bytes('late', 0, 0.9), bytes('soon', 1, 0)],
    leaves: [at(100, 'late'), at(100, 'soon')],
  },
  {
    name: 'a thin line lets one burst through and then its rate',
    faults: [{ kind: 'bandwidth', bytesPerSecond: 1000, burstBytes: 4 }],
    arrivals: [bytes('abcdefgh')],
    leaves: [at(0, 'abcd'), at(4, 'efgh')],
  },
  {
    name: 'a bucket that was idle for long holds one burst, not more',
    faults: [{ kind: 'bandwidth', bytesPerSecond: 1000, burstBytes: 2 }],
    arrivals: [bytes('ab'), bytes('cdef', 1000)],
    leaves: [at(0, 'ab'), at(1000, 'cd'), at(1002, 'ef')],
  },
  {
    name: 'a line slower than a byte a helping still carries every byte',
    faults: [{ kind: 'bandwidth', bytesPerSecond: 10, burstBytes: 1 }],
    arrivals: [bytes('abc')],
    leaves: [at(0, 'a'), at(100, 'b'), at(200, 'c')],
  },
  {
    name: 'a discarding hole swallows what it holds and what comes, and keeps the end',
    faults: [{ kind: 'blackhole', how: 'discard', afterMs: 10 }],
    arrivals: [bytes('a', 0), bytes('b', 20), ending('end', 30)],
    leaves: [at(0, 'a')],
  },
  {
    name: 'a hole that begins behind a byte lets exactly the bytes before it pass',
    faults: [{ kind: 'blackhole', how: 'stop-reading', afterBytes: 3 }],
    arrivals: [bytes('ab'), bytes('cd')],
    leaves: [at(0, 'ab'), at(0, 'c')],
  },
  {
    name: 'a cut comes behind exactly so many bytes, also in the middle of a chunk',
    faults: [{ kind: 'cut', how: 'reset', afterBytes: 3 }],
    arrivals: [bytes('ab'), bytes('cd')],
    leaves: [at(0, 'ab'), at(0, 'c'), at(0, '<cut reset>')],
  },
  {
    name: 'a cut behind byte 0 lets nothing pass',
    faults: [{ kind: 'cut', how: 'close', afterBytes: 0 }],
    arrivals: [bytes('ab')],
    leaves: [at(0, '<cut close>')],
  },
  {
    name: 'a cut without an onset is now',
    faults: [{ kind: 'cut', how: 'end' }],
    arrivals: [bytes('ab')],
    leaves: [at(0, '<cut end>')],
  },
  {
    name: 'a cut by time comes in silence too',
    faults: [{ kind: 'cut', how: 'close', afterMs: 500 }],
    arrivals: [],
    leaves: [at(500, '<cut close>')],
  },
  {
    name: 'the first of two onsets counts',
    faults: [{ kind: 'cut', how: 'close', afterBytes: 100, afterMs: 500 }],
    arrivals: [bytes('ab', 400)],
    leaves: [at(400, 'ab'), at(500, '<cut close>')],
  },
  {
    name: 'a cut by time ends a hole: frozen, then killed',
    faults: [
      { kind: 'blackhole', how: 'stop-reading' },
      { kind: 'cut', how: 'reset', afterMs: 70 },
    ],
    arrivals: [bytes('ab', 10)],
    leaves: [at(70, '<cut reset>')],
  },
  {
    name: 'half-open never passes the end on',
    faults: [{ kind: 'half-open' }],
    arrivals: [bytes('ab'), ending('end'), ending('reset')],
    leaves: [at(0, 'ab')],
  },
  {
    name: 'slow close delays the end and no byte',
    faults: [{ kind: 'slow-close', delayMs: 300 }],
    arrivals: [bytes('ab', 5), ending('end', 6)],
    leaves: [at(5, 'ab'), at(306, '<end>')],
  },
  {
    name: 'half-open wins over slow close',
    faults: [{ kind: 'half-open' }, { kind: 'slow-close', delayMs: 300 }],
    arrivals: [bytes('ab'), ending('end')],
    leaves: [at(0, 'ab')],
  },
  {
    name: 'slices of one byte',
    faults: [{ kind: 'slice', maxBytes: 1, gapMs: 2 }],
    arrivals: [bytes('abc')],
    leaves: [at(0, 'a'), at(2, 'b'), at(4, 'c')],
  },
  {
    name: 'a coalescer lets go when it has enough',
    faults: [{ kind: 'coalesce', minBytes: 4, maxWaitMs: 1000 }],
    arrivals: [bytes('a', 0), bytes('b', 10), bytes('cde', 20)],
    leaves: [at(20, 'abcde')],
  },
  {
    name: 'a coalescer lets go when the oldest byte has waited long enough',
    faults: [{ kind: 'coalesce', minBytes: 100, maxWaitMs: 50 }],
    arrivals: [bytes('a', 0), bytes('b', 30)],
    leaves: [at(50, 'ab')],
  },
  {
    name: 'a coalescer lets go when nothing can follow',
    faults: [{ kind: 'coalesce', minBytes: 100, maxWaitMs: 50 }],
    arrivals: [bytes('a', 0), ending('end', 10)],
    leaves: [at(10, 'a'), at(10, '<end>')],
  },
  {
    name: 'a coalescer waits for bytes that latency still holds',
    faults: [
      { kind: 'latency', delayMs: 100 },
      { kind: 'coalesce', minBytes: 3, maxWaitMs: 1000 },
    ],
    arrivals: [bytes('ab', 0), bytes('c', 40)],
    leaves: [at(140, 'abc')],
  },
  {
    name: 'what was gathered is sliced without waiting again',
    faults: [
      { kind: 'coalesce', minBytes: 4, maxWaitMs: 1000 },
      { kind: 'slice', maxBytes: 3, gapMs: 1 },
    ],
    arrivals: [bytes('ab', 0), bytes('cd', 10)],
    leaves: [at(10, 'abc'), at(11, 'd')],
  },
  {
    name: 'the byte behind the first two arrives with its bits turned',
    faults: [{ kind: 'corrupt', afterBytes: 2, xor: 1 }],
    arrivals: [bytes('aa'), bytes('bbb')],
    leaves: [at(0, 'aa'), at(0, 'cbb')],
  },
  {
    name: 'the byte behind the first two arrives twice',
    faults: [{ kind: 'duplicate', afterBytes: 2 }],
    arrivals: [bytes('ab'), bytes('cd')],
    leaves: [at(0, 'ab'), at(0, 'ccd')],
  },
]

describe('what leaves a direction, and when', () => {
  it.each(cases)('$name', ({ faults, arrivals, leaves }) => {
    expect(departures(faults, arrivals)).toEqual(leaves)
  })

  it('corrupts a copy: the bytes that were read stay as they are', () => {
    const sent = Buffer.from('abc')
    departures(
      [{ kind: 'corrupt', afterBytes: 1 }],
      [{ kind: 'bytes', bytes: sent, arrivedAtMs: 0, jitterShare: 0 }],
    )
    expect(sent.toString()).toBe('abc')
  })

  it('carries 12 MiB at 10 Mbit/s in as long as that takes', () => {
    const arrivals = Array.from({ length: 192 }, () => bytes(Buffer.alloc(65_536)))
    const left = departures([{ kind: 'bandwidth', bytesPerSecond: 1_250_000 }], arrivals)
    expect(left.at(-1)?.atMs).toBeCloseTo((12 * 1024 * 1024 - 62_500) / 1250, -2)
  })

  it('keeps every byte and their order under any mix of faults that lose none', () => {
    const ms = fc.integer({ min: 0, max: 300 })
    const size = fc.integer({ min: 1, max: 40 })
    const mix = fc.record(
      {
        latency: fc.record({ kind: fc.constant('latency' as const), delayMs: ms, jitterMs: ms }),
        bandwidth: fc.record({
          kind: fc.constant('bandwidth' as const),
          bytesPerSecond: fc.integer({ min: 50, max: 9000 }),
        }),
        slice: fc.record({
          kind: fc.constant('slice' as const),
          minBytes: fc.constant(1),
          maxBytes: size,
          gapMs: ms,
        }),
        coalesce: fc.record({ kind: fc.constant('coalesce' as const), minBytes: size, maxWaitMs: ms }),
        slowClose: fc.record({ kind: fc.constant('slow-close' as const), delayMs: ms }),
      },
      { requiredKeys: [] },
    )
    const stream = fc.array(
      fc.record({
        text: fc.string({ minLength: 1, maxLength: 60 }),
        gapMs: ms,
        luck: fc.double({ min: 0, max: 0.99, noNaN: true }),
      }),
      { maxLength: 12 },
    )
    fc.assert(
      fc.property(mix, stream, (faults, chunks) => {
        let nowMs = 0
        const arrivals = chunks.map(({ text, gapMs, luck }) => {
          nowMs += gapMs
          return bytes(Buffer.from(text, 'latin1'), nowMs, luck)
        })
        const left = departures(
          Object.values(faults),
          [...arrivals, ending('end', nowMs)],
          Number.MAX_SAFE_INTEGER,
        )
        const sent = chunks.map(({ text }) => Buffer.from(text, 'latin1').toString('latin1')).join('')
        expect(left.map(({ what }) => what).join('')).toBe(`${sent}<end>`)
      }),
      { numRuns: 500, seed: 7 },
    )
  })
})

describe('whether the sender is read from', () => {
  it('is not while the receiver takes nothing', () => {
    expect(keepsReading({ ...stateOf([], []), hasRoom: false }, false)).toBe(false)
  })

  it('is not while the proxy holds as much as it may', () => {
    expect(keepsReading(stateOf([], []), true)).toBe(false)
  })

  it('is not by a frozen receiver', () => {
    expect(keepsReading(stateOf([{ kind: 'blackhole', how: 'stop-reading' }], []), false)).toBe(false)
  })

  it('is by one that discards, even when the receiver takes nothing', () => {
    const moment = stateOf([{ kind: 'blackhole', how: 'discard' }], [])
    expect(keepsReading({ ...moment, hasRoom: false }, true)).toBe(true)
  })
})
