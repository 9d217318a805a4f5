import { pause, until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { classic, createRabbit, direct, quorum, stream, topic } from '../../src/index.ts'
import { settlement } from '../settlement.ts'
import { startHarness } from './harness.ts'

const topology = {
  exchanges: { orders: topic() },
  queues: { bill: quorum() },
  bindings: [{ exchange: 'orders', queue: 'bill', key: '#' }],
}

const bindingKey = "binding orders -> queue bill '#'"

describe('a binding', () => {
  it('holds with an argument of any type of AMQP', async () => {
    const args = { big: 10n, half: 0.5, at: new Date(0), none: null, list: [1n, 'a'] }
    const { rabbit, cluster } = await startHarness({
      topology: { ...topology, bindings: [{ exchange: 'orders', queue: 'bill', key: '#', arguments: args }] },
    })
    await rabbit.ready({ timeoutMs: 2_000 })
    expect(cluster.log.entries({ from: 'client', frame: 'queue.bind' })).toHaveLength(1)
  })

  it('waits for both its ends on the first connection', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    cluster.script(
      { when: { from: 'client', frame: 'queue.declare' }, do: 'delay', delayMs: 100 },
      { when: { from: 'client', frame: 'exchange.declare' }, do: 'delay', delayMs: 150 },
    )
    await rabbit.ready()
    expect(cluster.log.entries({ from: 'client', frame: 'queue.bind' })).toHaveLength(1)
    expect(cluster.log.entries({ from: 'server', frame: 'channel.close' })).toEqual([])
  })

  it.each([
    ['queue', 'queue.declare'],
    ['exchange', 'exchange.declare'],
  ] as const)('is made again when the broker came back without its %s', async (_, frame) => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    await rabbit.ready()
    const publisher = rabbit.publisher({ exchange: 'orders', key: 'order.new' })
    await publisher.publish(1)
    // On the next connection the binding is tried first, and finds that end missing.
    cluster.script({ when: { from: 'client', frame, node: 2 }, do: 'delay', delayMs: 150 })
    cluster.deleteQueue('bill')
    if (frame === 'exchange.declare') await rabbit.withChannel((channel) => channel.deleteExchange('orders'))
    await cluster.node(1).kill()
    await until('it is elsewhere', () => rabbit.health().consume.endpoint === cluster.node(2).address)
    await until('everything is back', () =>
      rabbit.health().consume.declarations.every(({ standing: status }) => status === 'held'),
    )
    expect(events.filter(({ name }) => name === 'topologyConflict')).toEqual([])
    expect(await settlement(publisher.publish(2))).toBe('confirmed')
    expect(cluster.queue('bill')?.ready).toBe(1)
  })

  it('to what nobody has declared is tried until it is there, and says what it waits for', async () => {
    const { rabbit } = await startHarness({
      topology: { bindings: [{ exchange: 'amq.topic', queue: 'theirs', key: '#' }] },
    })
    await expect(rabbit.ready({ timeoutMs: 200 })).rejects.toMatchObject({
      code: 'timed-out',
      cause: { code: 'queue-missing', serverCode: 404 },
    })
    await rabbit.withChannel((channel) => channel.assertQueue('theirs'))
    await rabbit.ready()
    expect(await settlement(rabbit.publisher({ exchange: 'amq.topic' }).publish({}))).toBe('confirmed')
  })

  it('holds up what is published through it until it is back', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    await rabbit.ready()
    const publisher = rabbit.publisher({ exchange: 'orders', key: 'order.new' })
    await publisher.publish(1)
    cluster.script(
      { when: { from: 'client', frame: 'queue.declare', node: 2 }, do: 'delay', delayMs: 300 },
      { when: { from: 'client', frame: 'queue.bind', node: 2, skip: 1 }, do: 'delay', delayMs: 100 },
    )
    cluster.deleteQueue('bill')
    await cluster.node(1).kill()
    await until('the binding has failed', () =>
      rabbit
        .health()
        .consume.declarations.some(({ key, error }) => key === bindingKey && error !== undefined),
    )
    expect(cluster.queue('bill')).toBeUndefined()
    expect(await settlement(publisher.publish(2))).toBe('confirmed')
  })
})

describe('what vanished without a word', () => {
  // Until it has held for five seconds, nothing is doubted.
  const aWhileMs = 5_100

  it('is noticed by a message that nobody gets: a binding is made again', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    await rabbit.ready()
    const publisher = rabbit.publisher({ exchange: 'orders', key: 'order.new' })
    await publisher.publish(1)
    await pause(aWhileMs)
    await rabbit.withChannel((channel) => channel.unbindQueue('bill', 'orders', '#'))
    expect(await settlement(publisher.publish(2))).toBe('unroutable not-done')
    expect(await settlement(publisher.publish(3))).toBe('confirmed')
    expect(cluster.queue('bill')?.ready).toBe(2)
  })

  it('is noticed in the same way when a queue goes and its consumer is not told: it consumes again, once', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    const seen: unknown[] = []
    rabbit.consume('bill', ({ body }) => void seen.push(body))
    await rabbit.ready()
    const publisher = rabbit.publisher({ exchange: 'orders', key: 'order.new' })
    await publisher.publish(1)
    await pause(aWhileMs)
    cluster.script({ when: { from: 'server', frame: 'basic.cancel' }, do: 'drop' })
    cluster.deleteQueue('bill')
    expect(await settlement(publisher.publish(2))).toBe('unroutable not-done')
    expect(await settlement(publisher.publish(3))).toBe('confirmed')
    await until('it consumes again', () => seen.includes(3))
    expect(cluster.queue('bill')?.consumers).toBe(1)
    const channels = cluster.connections.map((connection) => connection.channels)
    await pause(50)
    expect(cluster.connections.map((connection) => connection.channels)).toEqual(channels)
    expect(seen).toEqual([1, 3])
  })
})

describe('a queue of another service', () => {
  it('is used as it is with passive, and nothing is declared', async () => {
    const { rabbit, cluster, events } = await startHarness({
      topology: {
        exchanges: { theirs: topic({ passive: true }) },
        queues: { limited: classic({ passive: true }) },
        bindings: [{ exchange: 'theirs', queue: 'limited', key: '#' }],
      },
    })
    await expect(rabbit.ready()).rejects.toMatchObject({ serverCode: 404 })
    const codes = events.map(({ event }) => (event['error'] as { code: string }).code)
    expect(new Set(codes)).toEqual(new Set(['exchange-missing', 'queue-missing']))
    await rabbit.withChannel(async (channel) => {
      await channel.assertExchange('theirs', 'direct', { durable: false })
      await channel.assertQueue('limited', { maxLength: 7, durable: false })
    })
    await until(
      'it is found',
      () => rabbit.health().consume.declarations.every(({ standing }) => standing === 'held'),
      8_000,
    )
    expect(await settlement(rabbit.publisher({ key: 'limited' }).publish(1))).toBe('confirmed')
    expect(cluster.queue('limited')?.ready).toBe(1)
  })

  it('that names its defaults is no conflict, on any connection', async () => {
    const { rabbit, cluster, events } = await startHarness({
      topology: { queues: { bill: classic(), plain: classic({ arguments: { 'x-overflow': 'drop-head' } }) } },
      // The declarations of this client come second.
      username: async () => {
        await declared
        return 'guest'
      },
    })
    const other = createRabbit({ addresses: cluster.addresses })
    const declared = other.withChannel(async (channel) => {
      const aloud = {
        'x-queue-type': 'classic',
        'x-overflow': 'drop-head',
        'x-single-active-consumer': false,
      }
      await channel.assertQueue('bill', { arguments: aloud })
      await channel.assertQueue('plain')
    })
    await rabbit.ready()
    await cluster.node(1).kill()
    await until('it is elsewhere', () => rabbit.health().consume.endpoint === cluster.node(2).address)
    await rabbit.ready()
    await other.close()
    expect(events.filter(({ name }) => name === 'topologyConflict')).toEqual([])
  })

  it('that really differs is reported with what to write', async () => {
    const { rabbit, cluster } = await startHarness()
    await rabbit.withChannel((channel) => channel.assertQueue('bill', { maxLength: 5 }))
    const second = createRabbit({ addresses: cluster.addresses, topology: { queues: { bill: classic() } } })
    const ready = second.ready()
    await expect(ready).rejects.toMatchObject({
      code: 'topology-conflict',
      serverCode: 406,
      message: expect.stringMatching(
        /inequivalent arg 'x-max-length'.*; declare it with maxMessages: 5, or with passive: true/,
      ),
    })
    await second.close()
  })

  it.each([
    [{ queues: { a: classic({ passive: true, maxMessages: 1 }) } }, 'a.settings.maxMessages'],
    [{ queues: { a: quorum({ arguments: { 'x-queue-type': 'stream' } }) } }, 'x-queue-type'],
    [{ queues: { a: stream({ maxAge: '7 days' }) } }, 'maxAge'],
    [{ exchanges: { a: direct({ passive: 'yes' as never }) } }, 'passive'],
  ])('with settings that contradict each other is refused at the door: %#', async (given, _) => {
    await expect(startHarness({ topology: given })).rejects.toMatchObject({ code: 'config-invalid' })
  })
})

describe('an exclusive queue of a fixed name', () => {
  it('that is locked where it is tried apart is not to blame', async () => {
    const { rabbit, cluster, events } = await startHarness({
      topology: { exchanges: { bad: direct() }, queues: { mine: classic({ exclusive: true }) } },
    })
    const declare = { from: 'client', frame: 'exchange.declare' } as const
    const reply = { replyCode: 503, replyText: 'COMMAND_INVALID - unknown exchange type' }
    // The queue is under way, too, when the connection ends, and its lock outlives that.
    const queue = { from: 'client', frame: 'queue.declare' } as const
    cluster.script({ when: { ...queue, connection: 1 }, do: 'delay', delayMs: 50 })
    cluster.script({ when: declare, do: 'close-connection', ...reply })
    const locked = {
      replyCode: 405,
      replyText: 'RESOURCE_LOCKED - cannot obtain exclusive access to locked queue',
    }
    cluster.script({ when: { ...queue, connection: 3 }, do: 'close-channel', ...locked })
    cluster.script({ when: { ...queue, connection: 4 }, do: 'close-channel', ...locked })
    await expect(rabbit.ready()).rejects.toMatchObject({ serverCode: 503 })
    const standing = (key: string): string | undefined =>
      rabbit.health().consume.declarations.find((one) => one.key === key)?.standing
    await until('the queue is there', () => standing('queue mine') === 'held')
    expect(standing('exchange bad')).toBe('refused')
    const refused = events.filter(({ name }) => name === 'topologyConflict')
    expect(refused.map(({ event }) => event['key'])).toEqual(['exchange bad'])
    expect(await settlement(rabbit.publisher({ key: 'mine' }).publish(1))).toBe('confirmed')
  })
})
