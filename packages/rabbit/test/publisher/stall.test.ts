import { FakeClock } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { detectStalls, isStalled, noStall, observeProgress } from '../../src/publisher/publishers.ts'

describe('a stall', () => {
  const tick = { answers: 5, unconfirmed: 3, activeMs: 500 }

  it('grows while messages wait and no ack comes', () => {
    const stall = observeProgress(observeProgress(noStall(5, 1_000), tick, 1_000), tick, 1_000)
    expect([stall.forMs, isStalled(stall)]).toEqual([1_000, true])
  })

  it.each([
    ['any answer', { ...tick, answers: 6 }],
    ['nothing left to answer', { ...tick, unconfirmed: 0 }],
  ])('is ended by %s', (_, progress) => {
    const stall = observeProgress({ answers: 5, forMs: 900, limitMs: 4_000 }, progress, 1_000)
    expect([stall.forMs, stall.limitMs]).toEqual([0, 1_000])
  })
})

describe('the watch for stalls', () => {
  it('tries another node with growing patience while nothing changes, and starts anew after progress', async () => {
    const clock = new FakeClock()
    const now = { answers: 0, unconfirmed: 7 }
    const stalls: number[] = []
    const end = new AbortController()
    const watch = detectStalls(
      { clock, confirmStallMs: 1_600, progress: () => now, onStall: () => stalls.push(clock.now()) },
      end.signal,
    ).catch(() => undefined)
    await clock.advance(12_000)
    expect(stalls).toEqual([1_600, 4_800, 11_200])
    now.answers += 1
    await clock.advance(1_700)
    expect(stalls).toHaveLength(4)
    end.abort()
    await watch
    expect(clock.pending).toBe(0)
  })
})
