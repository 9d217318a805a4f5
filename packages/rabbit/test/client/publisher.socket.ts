import { pause, until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { quorum, topic } from '../../src/index.ts'
import { settlement } from '../settlement.ts'
import { startHarness } from './harness.ts'

const topology = {
  exchanges: { orders: topic() },
  queues: { bill: quorum() },
  bindings: [{ exchange: 'orders', queue: 'bill', key: '#' }],
}

describe('a publisher', () => {
  it('tries again what the broker could not take, with maybeDuplicate, until it can', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    cluster.script({ when: { from: 'client', frame: 'basic.publish', times: 3 }, do: 'nack' })
    const publisher = rabbit.publisher({ key: 'bill' })
    const receipts = await Promise.all([publisher.publish({}), publisher.publish({}), publisher.publish({})])
    expect(receipts.map(({ attempts }) => attempts)).toEqual([2, 2, 2])
    expect(cluster.queue('bill')?.ready).toBe(3)
  })

  it('leaves a channel that has nacked, and one that hangs after that, for the next', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    const publish = { from: 'client', frame: 'basic.publish' } as const
    cluster.script({ when: { ...publish, times: 1 }, do: 'nack' })
    cluster.script({ when: { ...publish, skip: 1, times: 2 }, do: 'lose-confirm' })
    const publisher = rabbit.publisher<number>({ key: 'bill', maxInFlight: 1 })
    const receipts = await Promise.all(Array.from({ length: 20 }, (_, i) => publisher.publish(i)))
    expect(receipts.map(({ attempts }) => attempts)).toEqual([4, ...Array(19).fill(1)])
    const opened = cluster.log.entries({ from: 'client', frame: 'confirm.select' })
    // The last one takes the place of the first, which a newer one has outdone.
    expect(opened).toHaveLength(5)
    const seen: number[] = []
    rabbit.consume<number>('bill', ({ body }) => void seen.push(body))
    await until('all are there', () => new Set(seen).size === 20)
    expect([...new Set(seen)]).toEqual(Array.from({ length: 20 }, (_, i) => i))
    expect(events).toEqual([])
  })

  it('is in order also when some had to wait for room and others come when there is some', async () => {
    const { rabbit } = await startHarness({ topology, outbox: { maxMessages: 2 } })
    const seen: number[] = []
    rabbit.consume<number>('bill', ({ body }) => void seen.push(body))
    await rabbit.ready()
    const publisher = rabbit.publisher<number>({ key: 'bill' })
    // Each confirm is answered with one more publish, while those of the second half wait for room.
    const again = Array.from({ length: 20 }, (_, i) =>
      publisher.publish(i).then(() => publisher.publish(100 + seen.length)),
    )
    await Promise.all(again)
    await until('all are there', () => seen.length === 40)
    const firsts = seen.filter((body) => body < 100)
    expect(firsts).toEqual(Array.from({ length: 20 }, (_, i) => i))
  })

  it('drops the oldest of all publishers that was never sent, however long the outage is', async () => {
    const { rabbit, cluster } = await startHarness({ outbox: { maxMessages: 1_000, onFull: 'drop-oldest' } })
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    const publishers = [rabbit.publisher({ key: 'a' }), rabbit.publisher({ key: 'b' })] as const
    const endings = Array.from({ length: 20_000 }, (_, i) =>
      settlement((publishers[i % 2] ?? publishers[0]).publish(i, { mandatory: false })),
    )
    await Promise.all(endings.slice(0, 19_000))
    expect(publishers.map(({ pending }) => pending)).toEqual([500, 500])
    await cluster.node(1).start()
    const words = await Promise.all(endings)
    expect(new Set(words.slice(0, 19_000))).toEqual(new Set(['buffer-full not-done']))
    expect(new Set(words.slice(19_000))).toEqual(new Set(['confirmed']))
  })

  it('tells two messages with one id apart when one of them comes back', async () => {
    const { rabbit } = await startHarness({ topology })
    const publisher = rabbit.publisher()
    await rabbit.ready()
    const stored = settlement(publisher.publish('a', { key: 'bill', messageId: 'same' }))
    const unroutable = settlement(publisher.publish('b', { key: 'nowhere', messageId: 'same' }))
    expect(await Promise.all([stored, unroutable])).toEqual(['confirmed', 'unroutable not-done'])
  })

  it('does not say not-done of what may have arrived on an earlier try', async () => {
    const { rabbit, cluster } = await startHarness()
    await rabbit.withChannel((channel) => channel.assertQueue('passing'))
    cluster.script({ when: { from: 'client', frame: 'basic.publish', times: 1 }, do: 'lose-confirm' })
    const outcome = settlement(rabbit.publisher({ key: 'passing' }).publish({}))
    await until('it is stored', () => cluster.queue('passing')?.ready === 1)
    await rabbit.withChannel((channel) => channel.deleteQueue('passing'))
    await cluster.node(1).kill()
    expect(await outcome).toBe('unroutable unknown')
  })

  it('can be closed: it takes nothing more, settles what it has, and gives its channel back', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    const other = rabbit.publisher({ key: 'bill' })
    await other.publish({})
    const channels = (): number => cluster.connections.reduce((sum, one) => sum + one.channels, 0)
    const before = channels()
    for (let i = 0; i < 20; i++) {
      await using publisher = rabbit.publisher({ key: 'bill' })
      void publisher.publish(i)
    }
    expect(cluster.queue('bill')?.ready).toBe(21)
    await until('the channels are closed', () => channels() === before)
    const late = rabbit.publisher({ key: 'bill' })
    expect(await late.close()).toEqual({ unknown: 0, notSent: 0 })
    expect(await settlement(late.publish({}))).toBe('closed not-done')
    expect(await settlement(other.publish({}))).toBe('confirmed')
  })

  it('that is closed in an outage fails what it has by its deadline, with what is known', async () => {
    const { rabbit, cluster } = await startHarness({ topology, liveness: { probeAfterMs: 60_000 } })
    const publisher = rabbit.publisher({ key: 'bill', maxInFlight: 1 })
    await publisher.publish({})
    for (const node of cluster.nodes) node.freeze()
    const outcomes = [settlement(publisher.publish({})), settlement(publisher.publish({}))]
    expect(await publisher.close({ timeoutMs: 200 })).toEqual({ unknown: 1, notSent: 1 })
    expect(await Promise.all(outcomes)).toEqual(['closed unknown', 'closed not-done'])
  })

  it('says nacked for what may be sent once at the most', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    cluster.script({ when: { from: 'client', frame: 'basic.publish' }, do: 'nack' })
    const publisher = rabbit.publisher({ key: 'bill' })
    expect(await settlement(publisher.publish({}, { repeatable: false }))).toBe('nacked unknown')
  })

  it('says nacked when a queue wants no more, keeps its channel then, and goes on when there is room', async () => {
    const full = quorum({ maxMessages: 1, overflow: 'reject-publish' })
    const { rabbit, cluster, events } = await startHarness({ topology: { queues: { full, bill: quorum() } } })
    const publisher = rabbit.publisher({ key: 'full' })
    await publisher.publish('first')
    expect(await settlement(publisher.publish('second'))).toBe('nacked unknown')
    const opened = (): number => cluster.log.entries({ from: 'client', frame: 'confirm.select' }).length
    const before = opened()
    const mixed = Array.from({ length: 100 }, (_, i) => publisher.publish(i, i % 2 ? { key: 'bill' } : {}))
    const words = await Promise.all(mixed.map(settlement))
    expect(words).toEqual(Array.from({ length: 100 }, (_, i) => (i % 2 ? 'confirmed' : 'nacked unknown')))
    expect(opened() - before).toBeLessThan(3)
    await rabbit.withChannel((channel) => channel.purgeQueue('full'))
    expect(await settlement(publisher.publish('third'))).toBe('confirmed')
    expect(events).toMatchObject([{ name: 'routeRefused', event: { exchange: '', key: 'full' } }])
  })

  it('declares an exchange of the topology again when it has vanished', async () => {
    const { rabbit } = await startHarness({ topology })
    const publisher = rabbit.publisher({ exchange: 'orders' })
    await publisher.publish({})
    await rabbit.withChannel((channel) => channel.deleteExchange('orders'))
    expect(await publisher.publish({})).toMatchObject({ attempts: 2 })
  })

  it('is held while the broker is short of memory, goes nowhere, and goes on', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    const publisher = rabbit.publisher({ key: 'bill' })
    await publisher.publish({})
    cluster.raiseAlarm('memory')
    const held = Array.from({ length: 20 }, () => publisher.publish({}))
    await until('it is blocked', () => events.some(({ name }) => name === 'blocked'))
    await pause(3_500)
    expect(rabbit.health()).toMatchObject({ state: 'suspended', outbox: { messages: 20 } })
    cluster.clearAlarm('memory')
    expect(await Promise.all(held)).toHaveLength(20)
    expect(events.map(({ name }) => name)).toEqual(['blocked', 'unblocked'])
  })

  it('leaves a node that answers and confirms nothing, and says that it is stalled', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology, liveness: { confirmStallMs: 600 } })
    const publisher = rabbit.publisher({ key: 'bill' })
    await publisher.publish({})
    cluster.script({ when: { from: 'client', frame: 'basic.publish', node: 1 }, do: 'lose-confirm' })
    expect(await publisher.publish({})).toMatchObject({
      endpoint: cluster.node(2).address,
      maybeDuplicate: true,
    })
    expect(events.map(({ name }) => name)).toContain('stalled')
  })
})

describe('a full publish buffer', () => {
  const full = { maxMessages: 2, maxAgeMs: 2_000 }

  async function stuck(outbox: object) {
    const harness = await startHarness({ topology, outbox: { ...full, ...outbox } })
    const { cluster, rabbit } = harness
    const remove = cluster.script({
      when: { from: 'client', frame: 'basic.publish' },
      do: 'hold',
      until: 'later',
    })
    const publisher = rabbit.publisher<number>({ key: 'bill', maxInFlight: 1 })
    await rabbit.ready()
    const first = [publisher.publish(1), publisher.publish(2)]
    const goOn = (): void => {
      remove()
      cluster.release('later')
    }
    return { ...harness, publisher, first, goOn }
  }

  it('makes a publish wait for room', async () => {
    const { publisher, first, goOn, rabbit } = await stuck({ onFull: 'wait' })
    const third = publisher.publish(3)
    expect(rabbit.health().outbox).toMatchObject({ messages: 2, waiting: 1 })
    goOn()
    expect(await Promise.all([...first, third].map(settlement))).toEqual([
      'confirmed',
      'confirmed',
      'confirmed',
    ])
  })

  it('rejects a publish at once', async () => {
    const { publisher, first, goOn } = await stuck({ onFull: 'reject' })
    expect(await settlement(publisher.publish(3))).toBe('buffer-full not-done')
    goOn()
    await Promise.all(first)
  })

  it('drops the oldest that was not sent yet', async () => {
    const { publisher, first, goOn } = await stuck({ onFull: 'drop-oldest' })
    const third = publisher.publish(3)
    goOn()
    expect(await Promise.all([...first, third].map(settlement))).toEqual([
      'confirmed',
      'buffer-full not-done',
      'confirmed',
    ])
  })

  it('ends the wait for room by its deadline', async () => {
    const { publisher, first, goOn } = await stuck({ onFull: 'wait' })
    expect(await settlement(publisher.publish(3, { timeoutMs: 100 }))).toBe('timed-out not-done')
    goOn()
    await Promise.all(first)
  })
})
