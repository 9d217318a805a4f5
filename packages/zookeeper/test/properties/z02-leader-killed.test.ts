import { describe, expect, it } from 'vitest'
import { contentsOf, type Harness, onlyAt, openHarness } from '../harness.ts'
import { repeatedly, type Settled } from './load.ts'

// 200 operations a second. Each answer takes 4 ms, so that the leader dies after some operations are done and not answered.
const everyMs = 5
const answerMs = 4

describe('Z2: the leader is killed under 200 creations a second', () => {
  it.each([
    ['which the client is attached to', true],
    ['behind the attached server', false],
  ])('the leader %s: each settles, none is done twice, and they go on within 2 s', async (_, isAttached) => {
    await using harness = await openHarness()
    const { client } = harness.member()
    const { leader } = harness.ensemble
    await onlyAt(
      harness,
      (node) => (node === leader) === isAttached,
      () => harness.inTime(client.create('/q')),
    )
    harness.ensemble.script({
      when: { op: ['create', 'create2'] },
      do: 'delay',
      delayMs: answerMs,
      at: 'answer',
    })
    const load = repeatedly(harness.clock, everyMs, (n) =>
      client.create('/q/n-', String(n), { sequential: true, timeoutMs: 5_000 }),
    )
    await harness.clock.advance(1_002)
    const killedAtMs = harness.clock.now()
    await leader?.kill()
    await harness.clock.advance(2_000)
    await leader?.start()
    await harness.clock.advance(1_000)
    const settled = await load.end()

    expect(settled.map(({ outcome }) => outcome)).not.toContain('untyped')
    expect(told(harness, settled)).toEqual({ lost: [], twice: [], undone: [] })
    expect(settled.filter(({ outcome }) => outcome === 'unknown')).toEqual([])
    const [first] = settled.filter(({ atMs, outcome }) => atMs > killedAtMs + answerMs && outcome === 'done')
    expect((first?.atMs ?? Number.POSITIVE_INFINITY) - killedAtMs).toBeLessThan(2_000)
  })
})

// Compares the results of the calls with the tree: done and missing, present twice, not done and present.
function told(harness: Harness, settled: readonly Settled[]): Record<'lost' | 'twice' | 'undone', number[]> {
  const times = new Map<number, number>()
  const timesOf = (n: number): number => times.get(n) ?? 0
  for (const content of contentsOf(harness, '/q').values())
    times.set(Number(content), timesOf(Number(content)) + 1)
  const numbers = (fits: (one: Settled) => boolean): number[] => settled.filter(fits).map(({ n }) => n)
  return {
    lost: numbers(({ n, outcome }) => outcome === 'done' && timesOf(n) === 0),
    twice: numbers(({ n }) => timesOf(n) > 1),
    undone: numbers(({ n, outcome }) => outcome === 'not-done' && timesOf(n) > 0),
  }
}
