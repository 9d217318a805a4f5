import { pause, until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { direct, quorum, topic } from '../../src/index.ts'
import { settlement } from '../settlement.ts'
import { startHarness } from './harness.ts'

const full = quorum({ maxMessages: 1, overflow: 'reject-publish' })
const topology = {
  exchanges: { orders: direct() },
  queues: { full, bill: quorum() },
  bindings: [
    { exchange: 'orders', queue: 'full', key: 'full' },
    { exchange: 'orders', queue: 'bill', key: 'bill' },
  ],
}

describe('a route that the broker nacks', () => {
  it('waits alone: the other routes of its publisher go on', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    await rabbit.ready()
    const publisher = rabbit.publisher({ exchange: 'orders' })
    await publisher.publish('fills it', { key: 'full' })
    const refused = [1, 2].map((i) => settlement(publisher.publish(i, { key: 'full', timeoutMs: 1_600 })))
    const beganAtMs = performance.now()
    let worstMs = 0
    let published = 0
    while (performance.now() - beganAtMs < 1_700) {
      const sentAtMs = performance.now()
      await publisher.publish(published, { key: 'bill' })
      worstMs = Math.max(worstMs, performance.now() - sentAtMs)
      published += 1
      await pause(2)
    }
    expect(await Promise.all(refused)).toEqual(['timed-out unknown', 'timed-out unknown'])
    expect(cluster.queue('bill')?.ready).toBe(published)
    // The pauses of the refused route are 300, 1 200 and 2 200 ms.
    expect(worstMs).toBeLessThan(700)
  })

  it('keeps the order of each route, and returns to the channel of its publisher', async () => {
    const { rabbit, cluster } = await startHarness({ topology: { queues: { a: quorum(), b: quorum() } } })
    await rabbit.ready()
    const fields = { routingKey: 'a' }
    cluster.script({
      when: { from: 'client', frame: 'basic.publish', fields, skip: 5, times: 12 },
      do: 'nack',
    })
    const seen: Record<string, number[]> = { a: [], b: [] }
    for (const queue of ['a', 'b']) rabbit.consume<number>(queue, ({ body }) => void seen[queue]?.push(body))
    const publisher = rabbit.publisher<number>({ maxInFlight: 16 })
    const all = Array.from({ length: 400 }, (_, i) => publisher.publish(i, { key: i % 2 ? 'a' : 'b' }))
    await Promise.all(all)
    await until('all are there', () => new Set(seen['a']).size === 200 && seen['b']?.length === 200)
    const sorted = (list: readonly number[] = []): number[] => [...new Set(list)].sort((x, y) => x - y)
    expect(seen['b']).toEqual(sorted(seen['b']))
    expect(seen['a']).toEqual(sorted(seen['a']))
    await until('there is one channel', () => rabbit.health().publish.declarations.length === 1)
  })

  it('keeps its order when the messages behind the nacked one are not answered', async () => {
    const { rabbit, cluster } = await startHarness({ topology: { queues: { a: quorum(), b: quorum() } } })
    await rabbit.ready()
    const publish = { from: 'client', frame: 'basic.publish', fields: { routingKey: 'a' } } as const
    cluster.script({ when: { ...publish, skip: 2, times: 1 }, do: 'nack' })
    cluster.script({ when: { ...publish, skip: 3, times: 1 }, do: 'hold', until: 'later' })
    const seen: number[] = []
    rabbit.consume<number>('a', ({ body }) => void seen.push(body))
    const publisher = rabbit.publisher<number>({ key: 'a', maxInFlight: 16 })
    const all = Array.from({ length: 60 }, (_, i) => settlement(publisher.publish(i, { timeoutMs: 5_000 })))
    expect(new Set(await Promise.all(all))).toEqual(new Set(['confirmed']))
    await until('all are there', () => new Set(seen).size === 60)
    expect([...new Set(seen)]).toEqual(Array.from({ length: 60 }, (_, i) => i))
    cluster.release('later')
    expect(await settlement(publisher.publish(60))).toBe('confirmed')
  })

  it('costs a bounded number of channels, whatever the number of keys', async () => {
    const { rabbit } = await startHarness({
      topology: {
        exchanges: { events: topic() },
        queues: { full, bill: quorum() },
        bindings: [
          { exchange: 'events', queue: 'full', key: 'full.*' },
          { exchange: 'events', queue: 'bill', key: 'bill.*' },
        ],
      },
    })
    await rabbit.ready()
    const publisher = rabbit.publisher({ exchange: 'events' })
    await publisher.publish('fills it', { key: 'full.0' })
    const refused = Array.from({ length: 300 }, (_, i) =>
      settlement(publisher.publish(i, { key: `full.${i}`, timeoutMs: 700 })),
    )
    const good = Array.from({ length: 300 }, (_, i) => settlement(publisher.publish(i, { key: `bill.${i}` })))
    expect(new Set(await Promise.all(good))).toEqual(new Set(['confirmed']))
    const { declarations } = rabbit.health().publish
    expect(declarations.length).toBeGreaterThan(1)
    expect(declarations.length).toBeLessThanOrEqual(18)
    expect(declarations[1]?.key).toBe("publisher 1, exchange 'events' with key 'full.0'")
    expect(new Set(await Promise.all(refused))).toEqual(new Set(['timed-out unknown']))
    expect(await publisher.close({ timeoutMs: 100 })).toEqual({ unknown: 0, notSent: 0 })
    expect(rabbit.health().publish.declarations).toEqual([])
  })
})
