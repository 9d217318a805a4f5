import { pause } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { quorum } from '../../src/index.ts'
import { settlement } from '../settlement.ts'
import { startHarness } from './harness.ts'

const topology = { queues: { bill: quorum(), other: quorum(), bad: quorum() } }
const liveness = { probeAfterMs: 60_000 }

describe('a publish that the broker ends the connection for', () => {
  it.each([
    [501, 'FRAME_ERROR', 'not-done', 2],
    [503, 'COMMAND_INVALID', 'not-done', 2],
    [505, 'UNEXPECTED_FRAME', 'not-done', 2],
    [530, 'NOT_ALLOWED', 'not-done', 2],
    [540, 'NOT_IMPLEMENTED', 'not-done', 2],
    [541, 'INTERNAL_ERROR', 'unknown', 4],
  ])(
    'with %i is rejected with that reason, and hurts no other',
    async (replyCode, replyText, outcome, ends) => {
      const { rabbit, cluster, events } = await startHarness({ topology, liveness })
      await rabbit.ready()
      const fields = { routingKey: 'bad' }
      cluster.script({
        when: { from: 'client', frame: 'basic.publish', fields },
        do: 'close-connection',
        replyCode,
        replyText,
      })
      const [first, second] = [
        rabbit.publisher<number>({ key: 'bill' }),
        rabbit.publisher<number>({ key: 'other' }),
      ]
      const around = Array.from({ length: 30 }, (_, i) => [first.publish(i), second.publish(i)]).flat()
      const bad = first.publish(-1, { key: 'bad', messageId: 'guilty' })
      const behind = Array.from({ length: 30 }, (_, i) => [
        first.publish(100 + i),
        second.publish(100 + i),
      ]).flat()
      await expect(bad).rejects.toMatchObject({ code: 'rejected', outcome, serverCode: replyCode })
      const receipts = await Promise.all([...around, ...behind])
      const rejected = events.filter(({ name }) => name === 'publishRejected')
      expect(rejected).toMatchObject([{ event: { exchange: '', key: 'bad', messageId: 'guilty' } }])
      expect(cluster.log.entries({ from: 'server', frame: 'connection.close' })).toHaveLength(ends)
      // What may be stored twice says so.
      const stored = (cluster.queue('bill')?.ready ?? 0) + (cluster.queue('other')?.ready ?? 0)
      expect(stored).toBeGreaterThanOrEqual(120)
      expect(stored - 120).toBeLessThanOrEqual(receipts.filter(({ maybeDuplicate }) => maybeDuplicate).length)
      expect(await settlement(first.publish(7))).toBe('confirmed')
    },
  )

  it('is told apart from a node that ends all connections', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology, liveness })
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'bill' })
    const when = { from: 'client', frame: 'basic.publish', times: 1 } as const
    cluster.script({ when, do: 'close-connection', replyCode: 320, replyText: 'CONNECTION_FORCED' })
    expect(await settlement(publisher.publish(1))).toBe('confirmed')
    expect(events.map(({ name }) => name)).toEqual(['failover'])
  })

  it('once, for a reason that passes, is sent again', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology, liveness })
    await rabbit.ready()
    const when = { from: 'client', frame: 'basic.publish', times: 2 } as const
    cluster.script({ when, do: 'close-connection', replyCode: 541, replyText: 'INTERNAL_ERROR' })
    expect(await settlement(rabbit.publisher({ key: 'bill' }).publish(1))).toBe('confirmed')
    expect(events.filter(({ name }) => name === 'publishRejected')).toEqual([])
  })

  it('and may be sent once only, is unknown with the reason as its cause', async () => {
    const { rabbit, cluster } = await startHarness({ topology, liveness })
    await rabbit.ready()
    const when = { from: 'client', frame: 'basic.publish', times: 1 } as const
    cluster.script({ when, do: 'close-connection', replyCode: 541, replyText: 'INTERNAL_ERROR' })
    const publish = rabbit.publisher({ key: 'bill' }).publish(1, { repeatable: false })
    await expect(publish).rejects.toMatchObject({
      code: 'outcome-unknown',
      outcome: 'unknown',
      cause: { serverCode: 541 },
    })
  })

  it('is found among others that are not answered', async () => {
    const { rabbit, cluster } = await startHarness({ topology, liveness })
    await rabbit.ready()
    const publish = { from: 'client', frame: 'basic.publish' } as const
    const reply = { replyCode: 501, replyText: 'FRAME_ERROR' }
    cluster.script({ when: { ...publish, fields: { routingKey: 'bad' } }, do: 'close-connection', ...reply })
    cluster.script({ when: { ...publish, fields: { routingKey: 'other' } }, do: 'lose-confirm' })
    const [first, second] = [rabbit.publisher({ key: 'bad' }), rabbit.publisher({ key: 'other' })]
    const hanging = settlement(second.publish(1, { timeoutMs: 4_000 }))
    await pause(20)
    const bad = settlement(first.publish(2, { timeoutMs: 4_000 }))
    expect(await settlement(first.publish(3, { key: 'bill' }))).toBe('confirmed')
    expect(await hanging).toBe('timed-out unknown')
    expect(await bad).toMatch(/^(rejected not-done|timed-out unknown)$/)
  })
})
