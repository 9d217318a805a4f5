import { until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { quorum } from '../../src/index.ts'
import { settlement } from '../settlement.ts'
import { startHarness } from './harness.ts'

const topology = { queues: { bill: quorum() } }

describe('a failover', () => {
  it.each(['kill', 'stop'] as const)(
    'counts what it sends again, and nothing that was sent again before (%s)',
    async (how) => {
      const { rabbit, cluster, events } = await startHarness({ topology })
      await rabbit.ready()
      const publisher = rabbit.publisher({ key: 'bill' })
      // The broker closes the channel over the first: the second is sent again, on the same connection.
      const both = [publisher.publish(0, { exchange: 'nowhere' }), publisher.publish(1)]
      expect(await Promise.all(both.map(settlement))).toEqual(['exchange-missing not-done', 'confirmed'])
      expect(events).toEqual([])
      cluster.script({ when: { from: 'client', frame: 'basic.publish', node: 1 }, do: 'lose-confirm' })
      const confirmed = Promise.all([publisher.publish(2), publisher.publish(3)])
      await until('both are sent', () => rabbit.health().outbox.unconfirmed === 2)
      await cluster.node(1)[how]()
      await confirmed
      await until('both connections have moved', () => events.length === 2)
      const replayed = new Map(events.map(({ event }) => [event['role'], event['replayed']]))
      expect([replayed.get('publish'), replayed.get('consume')]).toEqual([2, 0])
    },
  )
})
