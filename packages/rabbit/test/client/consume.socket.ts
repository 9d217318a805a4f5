import { pause, until } from '@ha/core/testing'
import { describe, expect, it, vi } from 'vitest'
import { type Delivery, ephemeral, fanout, mirrored, quorum } from '../../src/index.ts'
import { startHarness } from './harness.ts'

const topology = { queues: { bill: quorum() } }

/** A handler that a test lets go on. */
function held() {
  const seen: Delivery<unknown>[] = []
  const waiting: (() => void)[] = []
  const handler = (delivery: Delivery<unknown>): Promise<void> => {
    seen.push(delivery)
    return new Promise((resolve) => waiting.push(resolve))
  }
  const goOn = (): void => {
    for (const resolve of waiting.splice(0)) resolve()
  }
  return { seen, handler, goOn }
}

describe('a consumer', () => {
  it('acknowledges what its handler has done', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    const bodies: unknown[] = []
    rabbit.consume('bill', ({ body }) => void bodies.push(body))
    await rabbit.publisher({ key: 'bill' }).publish({ total: 7 })
    await until('it is acknowledged', () => bodies.length === 1 && cluster.queue('bill')?.unacked === 0)
    expect(bodies).toEqual([{ total: 7 }])
  })

  it('acknowledges when its handler returns something that is no word', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    const saved = async (): Promise<unknown> => ({ id: 7 })
    let runs = 0
    rabbit.consume('bill', () => {
      runs += 1
      return saved() as Promise<void>
    })
    await rabbit.publisher({ key: 'bill' }).publish({})
    await until('it is answered', () => runs === 1 && cluster.queue('bill')?.unacked === 0)
    expect(cluster.log.entries({ from: 'client', frame: 'basic.ack' })).toHaveLength(1)
    expect(events).toEqual([])
  })

  it('takes a word that it does not know for a failure', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    const handler = (): 'ack' => 'done' as 'ack'
    rabbit.consume('bill', handler, { onError: 'reject' })
    await rabbit.publisher({ key: 'bill' }).publish({})
    await until('it is told', () => events.length === 1 && cluster.queue('bill')?.unacked === 0)
    expect(events).toMatchObject([
      {
        name: 'handlerFailed',
        event: {
          error: {
            code: 'config-invalid',
            message: "the handler of 'bill' returned 'done': expected ack, requeue, reject or nothing",
          },
        },
      },
    ])
  })

  it('never holds more than its prefetch', async () => {
    const { rabbit } = await startHarness({ topology })
    const { seen, handler, goOn } = held()
    rabbit.consume('bill', handler, { prefetch: 3 })
    const publisher = rabbit.publisher({ key: 'bill' })
    await Promise.all(Array.from({ length: 10 }, (_, i) => publisher.publish(i)))
    await until('some are there', () => seen.length === 3)
    await pause(100)
    expect([seen.length, rabbit.health().consumers[0]?.running]).toEqual([3, 3])
    for (let i = 0; i < 4; i++) {
      goOn()
      await pause(60)
    }
    expect(seen).toHaveLength(10)
  })

  it('requeues after a pause what its handler threw at, and tells of it', async () => {
    const { rabbit, events } = await startHarness({ topology })
    const seen: boolean[] = []
    rabbit.consume(
      'bill',
      ({ redelivered }) => {
        seen.push(redelivered)
        if (!redelivered) throw new Error('not today')
      },
      { requeueDelayMs: 200 },
    )
    await rabbit.publisher({ key: 'bill' }).publish({})
    await until('it comes again', () => seen.length === 2)
    expect(seen).toEqual([false, true])
    expect(events).toMatchObject([
      { name: 'handlerFailed', event: { queue: 'bill', error: { message: 'not today' } } },
    ])
  })

  it.each([
    ['its handler says reject', (): 'reject' => 'reject', {}],
    [
      'its handler throws and onError is reject',
      (): Promise<never> => Promise.reject(new Error('bad')),
      { onError: 'reject' },
    ],
    [
      'the body cannot be read',
      (): void => undefined,
      {
        onError: 'reject',
        codec: {
          contentType: 'x',
          encode: (value: unknown): Buffer => Buffer.from(String(value)),
          decode: (): never => {
            throw new Error('odd')
          },
        },
      },
    ],
  ] as const)('sends a message to the dead-letter exchange when %s', async (_, handler, options) => {
    const { rabbit, cluster } = await startHarness({
      topology: {
        exchanges: { dead: fanout() },
        queues: { bill: quorum({ deadLetterExchange: 'dead' }), grave: quorum() },
        bindings: [{ exchange: 'dead', queue: 'grave' }],
      },
    })
    rabbit.consume('bill', handler as never, options as never)
    await rabbit.ready()
    await rabbit.publisher({ key: 'bill' }).publish({})
    await until('it is buried', () => cluster.queue('grave')?.ready === 1)
  })

  it('hurts nobody else with a handler or a listener that throws', async () => {
    const { rabbit } = await startHarness({ topology })
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    rabbit.events.on('handlerFailed', () => {
      throw new Error('a bad listener')
    })
    const seen: number[] = []
    rabbit.consume<number>(
      'bill',
      ({ body }) => {
        seen.push(body)
        if (body % 2 === 0) throw new Error('even')
      },
      { onError: 'reject' },
    )
    const publisher = rabbit.publisher<number>({ key: 'bill' })
    for (let i = 0; i < 6; i++) await publisher.publish(i)
    await until('all were handled', () => seen.length === 6)
    expect(warned).toHaveBeenCalledTimes(3)
    warned.mockRestore()
  })
})

describe('when the node of a consumer is lost', () => {
  it('what a handler had finished is acknowledged on redelivery, and the handler runs once', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    const { seen, handler, goOn } = held()
    rabbit.consume('bill', handler)
    const publisher = rabbit.publisher({ key: 'bill' })
    await Promise.all(Array.from({ length: 5 }, (_, i) => publisher.publish(i)))
    await until('all are at work', () => seen.length === 5)
    // The new connection comes late: the handlers end between the two.
    cluster.script({ when: { from: 'client', frame: 'basic.consume', node: 2 }, do: 'delay', delayMs: 300 })
    await cluster.node(1).kill()
    goOn()
    await until(
      'the queue is empty',
      () => cluster.queue('bill')?.ready === 0 && cluster.queue('bill')?.unacked === 0,
    )
    expect(seen).toHaveLength(5)
    expect(events.filter(({ name }) => name === 'ackReplayed')).toHaveLength(5)
  })

  it('a handler still at work takes over what comes again, and its answer goes there', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    const { seen, handler, goOn } = held()
    rabbit.consume('bill', handler)
    await rabbit.publisher({ key: 'bill' }).publish({})
    await until('it is at work', () => seen.length === 1)
    await cluster.node(1).kill()
    await until('it has come again', () => cluster.queue('bill')?.unacked === 1)
    expect(seen[0]?.signal.aborted).toBe(true)
    goOn()
    await until('the queue is empty', () => cluster.queue('bill')?.unacked === 0)
    expect([seen.length, cluster.queue('bill')?.ready]).toEqual([1, 0])
  })

  it('a handler that gave up with its signal runs again', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    let runs = 0
    rabbit.consume('bill', async ({ signal }) => {
      runs += 1
      if (runs > 1) return
      await new Promise((_, reject) =>
        signal.addEventListener('abort', () => setTimeout(() => reject(signal.reason), 200)),
      )
    })
    await rabbit.publisher({ key: 'bill' }).publish({})
    await until('it is at work', () => runs === 1)
    await cluster.node(1).kill()
    await until('it is done', () => runs === 2 && cluster.queue('bill')?.unacked === 0)
    expect(events.filter(({ name }) => name === 'handlerFailed')).toEqual([])
  })

  it('never acknowledges on another channel', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    const { seen, handler, goOn } = held()
    rabbit.consume('bill', handler, { prefetch: 500 })
    const publisher = rabbit.publisher({ key: 'bill' })
    await Promise.all(Array.from({ length: 500 }, (_, i) => publisher.publish(i)))
    await until('all are at work', () => seen.length === 500)
    cluster.log.clear()
    await cluster.node(1).kill()
    await until('some have come again', () => (cluster.queue('bill')?.unacked ?? 0) > 0)
    goOn()
    await until(
      'the queue is empty',
      () => cluster.queue('bill')?.ready === 0 && cluster.queue('bill')?.unacked === 0,
    )
    expect(cluster.log.entries({ from: 'server', frame: 'channel.close' })).toEqual([])
    expect(seen).toHaveLength(500)
  })

  it('says so when a message without an id cannot be recognised', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    const { seen, handler, goOn } = held()
    rabbit.consume('bill', handler)
    await rabbit.ready()
    const large = Buffer.from(JSON.stringify('x'.repeat(100_000)))
    await rabbit.withChannel(async (channel) => channel.sendToQueue('bill', large))
    cluster.script({ when: { from: 'client', frame: 'basic.consume', node: 2 }, do: 'delay', delayMs: 300 })
    await until('it is at work', () => seen.length === 1)
    await cluster.node(1).kill()
    await until('its channel is gone', () => seen[0]?.signal.aborted === true)
    goOn()
    await until('it is told', () => events.some(({ name }) => name === 'ackLost'))
  })
})

describe('when the node of a consumer stops in good order', () => {
  it('nobody is told that the broker took the consumer away', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    const consumer = rabbit.consume('bill', () => undefined)
    await consumer.ready()
    await cluster.node(1).stop()
    await until('it is elsewhere', () => events.some(({ name }) => name === 'failover'))
    expect(events.map(({ name }) => name)).toEqual(['failover'])
  })
})

describe('a consumer that the broker takes away', () => {
  it.each([
    ['its queue is deleted', 'deleteQueue'],
    ['it holds a message too long', 'timeout'],
    ['it is cancelled', 'cancel'],
  ] as const)('consumes again by itself when %s', async (_, how) => {
    const { rabbit, cluster, events } = await startHarness(
      { topology },
      { consumerTimeoutMs: how === 'timeout' ? 300 : 60_000 },
    )
    const bodies: unknown[] = []
    const other: unknown[] = []
    let slow = how === 'timeout'
    const consumer = rabbit.consume('bill', async ({ body, signal }) => {
      bodies.push(body)
      if (slow) await new Promise((resolve) => signal.addEventListener('abort', resolve))
      slow = false
    })
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'bill' })
    if (how === 'deleteQueue') cluster.deleteQueue('bill')
    if (how === 'cancel') {
      cluster.deleteQueue('bill')
      await rabbit.withChannel((channel) =>
        channel.assertQueue('bill', { arguments: { 'x-queue-type': 'quorum' } }),
      )
    }
    if (how === 'timeout') await publisher.publish('slow')
    await until('it is told', () => events.some(({ name }) => name === 'consumerLost'))
    await until(
      'it consumes again',
      () => consumer.status === 'consuming' && cluster.queue('bill')?.consumers === 1,
    )
    await publisher.publish('after')
    await until('it is consumed', () => bodies.includes('after'))
    expect(rabbit.health().consume.generation).toBe(1)
    expect(other).toEqual([])
  })

  it('waits for a queue that nobody has declared, and begins when it is there', async () => {
    const { rabbit, cluster } = await startHarness()
    const seen: unknown[] = []
    const consumer = rabbit.consume('late', ({ body }) => void seen.push(body))
    await until('it has tried', () => consumer.status === 'retrying')
    await rabbit.withChannel((channel) => channel.assertQueue('late'))
    await rabbit.publisher({ key: 'late' }).publish(1)
    await until('it consumes', () => seen.length === 1)
    expect(cluster.queue('late')?.consumers).toBe(1)
  })

  it('asks to be told when a mirrored queue moves', async () => {
    const { rabbit, cluster } = await startHarness({ topology: { queues: { 'ha.old': mirrored() } } })
    rabbit.consume('ha.old', () => undefined)
    await rabbit.ready()
    const [consume] = cluster.log.entries({ from: 'client', frame: 'basic.consume' })
    expect(consume?.fields).toMatchObject({ arguments: { 'x-cancel-on-ha-failover': true } })
  })
})

describe('stopping a consumer', () => {
  it('lets handlers finish, takes nothing new, and never comes back', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    const { seen, handler, goOn } = held()
    const consumer = rabbit.consume('bill', handler, { prefetch: 1 })
    const publisher = rabbit.publisher({ key: 'bill' })
    await Promise.all([publisher.publish(1), publisher.publish(2)])
    await until('one is at work', () => seen.length === 1)
    const stopped = consumer.stop()
    await pause(50)
    goOn()
    expect(await stopped).toEqual({ abandoned: 0 })
    await cluster.node(1).kill()
    await until('it is elsewhere', () => rabbit.health().consume.state === 'ready')
    await pause(100)
    expect([seen.length, cluster.queue('bill')?.ready, consumer.status]).toEqual([1, 1, 'stopped'])
  })

  it('gives up on handlers by its deadline, and their messages go back', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    const { seen, handler } = held()
    const consumer = rabbit.consume('bill', handler)
    await rabbit.publisher({ key: 'bill' }).publish(1)
    await until('it is at work', () => seen.length === 1)
    expect(await consumer.stop({ timeoutMs: 100 })).toEqual({ abandoned: 1 })
    await until('it is back', () => cluster.queue('bill')?.ready === 1)
  })
})

describe('an ephemeral queue', () => {
  it('gets a new name on each connection, and bindings and consumers follow', async () => {
    const { rabbit, cluster } = await startHarness({
      topology: {
        exchanges: { news: fanout() },
        queues: { inbox: ephemeral() },
        bindings: [{ exchange: 'news', queue: 'inbox' }],
      },
    })
    const seen: unknown[] = []
    rabbit.consume('inbox', ({ body }) => void seen.push(body))
    await rabbit.ready()
    const before = rabbit.nameOf('inbox')
    const publisher = rabbit.publisher({ exchange: 'news' })
    await publisher.publish(1)
    await cluster.node(1).kill()
    await until(
      'it has a new name',
      () => rabbit.nameOf('inbox') !== before && rabbit.health().consumers[0]?.status === 'consuming',
    )
    await publisher.publish(2)
    await until('both have come', () => seen.length === 2)
    expect(seen).toEqual([1, 2])
  })
})
