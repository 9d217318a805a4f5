import { until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { classic, type Delivery, ephemeral, fanout, quorum } from '../../src/index.ts'
import { startHarness } from './harness.ts'

const topology = {
  exchanges: { dead: fanout(), orders: fanout() },
  queues: { bill: quorum({ deadLetterExchange: 'dead' }), grave: quorum() },
  bindings: [
    { exchange: 'dead', queue: 'grave' },
    { exchange: 'orders', queue: 'bill' },
  ],
}

const retry = { attempts: 3, delaysMs: [50, 100] }

const failing = (): Promise<never> => Promise.reject(new Error('not today'))

describe('a consumer with a retry', () => {
  it('calls its handler after each delay, and dead-letters the message after the last attempt', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    const attempts: number[] = []
    rabbit.consume(
      'bill',
      ({ attempt }) => {
        attempts.push(attempt)
        return failing()
      },
      { retry },
    )
    await rabbit.ready()
    await rabbit.publisher({ key: 'bill' }).publish(1)
    await until('it is dead-lettered', () => cluster.queue('grave')?.ready === 1)
    expect(attempts).toEqual([1, 2, 3])
    expect(events.map(({ event }) => [event['attempt'], event['answer'], event['delayMs']])).toEqual([
      [1, 'retry', 50],
      [2, 'retry', 100],
      [3, 'reject', 0],
    ])
  })

  it('holds no place of its prefetch meanwhile: good messages are handled', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    const seen: unknown[] = []
    rabbit.consume<number>(
      'bill',
      ({ body }) => {
        if (body < 40) throw new Error('poison')
        seen.push(body)
      },
      { retry: { attempts: 2, delaysMs: [60_000] }, prefetch: 2 },
    )
    await rabbit.ready()
    const publisher = rabbit.publisher<number>({ key: 'bill' })
    for (let i = 0; i < 50; i += 1) await publisher.publish(i)
    await until('the good ones are handled', () => seen.length === 10)
    expect(cluster.queue('bill.retry.60000')?.ready).toBe(40)
  })

  it('gives the handler the message as it was published', async () => {
    const { rabbit } = await startHarness({ topology })
    const seen: Delivery<unknown>[] = []
    rabbit.consume('bill', (delivery) => (seen.push(delivery) === 1 ? failing() : undefined), { retry })
    await rabbit.ready()
    await rabbit.publisher({ exchange: 'orders', key: 'new' }).publish(
      { total: 7 },
      {
        messageId: 'm',
        correlationId: 'c',
        replyTo: 'r',
        type: 't',
        timestamp: 5,
        priority: 3,
        expirationMs: 60_000,
        headers: { tenant: 'a', CC: ['grave'] },
      },
    )
    await until('it is handled', () => seen.length === 2)
    const {
      body,
      exchange,
      key,
      messageId,
      correlationId,
      replyTo,
      type,
      timestamp,
      priority,
      headers,
      persistent,
    } = seen[1] as Delivery<unknown>
    expect({
      body,
      exchange,
      key,
      messageId,
      correlationId,
      replyTo,
      type,
      timestamp,
      priority,
      persistent,
    }).toEqual({
      body: { total: 7 },
      exchange: 'orders',
      key: 'new',
      messageId: 'm',
      correlationId: 'c',
      replyTo: 'r',
      type: 't',
      timestamp: 5,
      priority: 3,
      persistent: true,
    })
    expect(headers).toMatchObject({ tenant: 'a' })
    expect(headers['CC']).toBeUndefined()
  })

  it('acknowledges the message only when the retry queue has confirmed it', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    await rabbit.ready()
    let runs = 0
    const consumer = rabbit.consume(
      'bill',
      () => {
        runs += 1
        return failing()
      },
      { retry, requeueDelayMs: 10 },
    )
    await consumer.ready()
    await rabbit.publisher({ key: 'bill' }).publish(1)
    const fields = { routingKey: 'bill.retry.50' }
    cluster.script({
      when: { from: 'client', frame: 'basic.publish', fields, times: 1 },
      do: 'nack',
    } as never)
    await until('it is dead-lettered', () => cluster.queue('grave')?.ready === 1)
    expect(runs).toBe(4)
    expect(events.map(({ event }) => event['answer'])).toEqual([
      'retry',
      'requeue',
      'retry',
      'retry',
      'reject',
    ])
    expect(events.filter(({ event }) => event['answer'] === 'reject')).toHaveLength(1)
  })

  it('declares its queues again when they were deleted', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    const consumer = rabbit.consume('bill', failing, { retry, requeueDelayMs: 10 })
    await consumer.ready()
    const publisher = rabbit.publisher({ key: 'bill' })
    await publisher.publish(1)
    await until('it is dead-lettered', () => cluster.queue('grave')?.ready === 1)
    cluster.deleteQueue('bill.retry.50')
    await publisher.publish(2)
    await until('the next one is dead-lettered', () => cluster.queue('grave')?.ready === 2)
    expect(events.some(({ event }) => String(event['error']).includes('no longer exists'))).toBe(true)
  })

  it('goes on consuming while the broker blocks what publishes, and retries when the alarm is over', async () => {
    const { rabbit, cluster } = await startHarness({ topology, declareTimeoutMs: 400 })
    await rabbit.ready()
    const publisher = rabbit.publisher<number>({ key: 'bill' })
    for (const body of [0, 1, 2]) await publisher.publish(body)
    cluster.raiseAlarm()
    const seen = new Set<unknown>()
    rabbit.consume<number>(
      'bill',
      ({ body, attempt }) => {
        if (body === 0 && attempt === 1) throw new Error('not yet')
        seen.add(body)
      },
      { retry: { attempts: 5, delaysMs: [50] }, requeueDelayMs: 50 },
    )
    await until('the others are handled', () => seen.has(1) && seen.has(2))
    await until('the alarm is seen', () => rabbit.health().publish.state === 'suspended')
    expect(rabbit.health().consume.state).toBe('ready')
    cluster.clearAlarm()
    await until('it is retried', () => seen.has(0))
  })

  it('loses nothing when its node dies, and leaves no channel when it stops', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    const consumer = rabbit.consume('bill', failing, { retry })
    await consumer.ready()
    const publisher = rabbit.publisher({ key: 'bill' })
    await Promise.all(Array.from({ length: 20 }, (_, i) => publisher.publish(i)))
    await cluster.node(1).kill()
    await until('all are dead-lettered', () => (cluster.queue('grave')?.ready ?? 0) >= 20)
    const grave = new Set<unknown>()
    rabbit.consume('grave', ({ body }) => void grave.add(body))
    await until('each is there', () => grave.size === 20)
    expect(await consumer.stop()).toEqual({ abandoned: 0 })
    expect(cluster.queue('bill')?.consumers).toBe(0)
  })
})

describe('a retry that would lose messages, or cannot work', () => {
  const queues = {
    lost: quorum(),
    mine: ephemeral({ deadLetterExchange: 'dead' }),
    byArgument: classic({ arguments: { 'x-dead-letter-exchange': '' } }),
  }

  it.each([
    ['lost', { retry }, 'the queue drops the message after the last attempt'],
    ['mine', { retry }, 'an ephemeral queue'],
    ['other', { retry, onError: 'reject' }, 'onError'],
    ['other', { retry, noAck: true }, 'retry'],
    ['other', { retry, arguments: { 'x-stream-offset': 'first' } }, 'a stream keeps its messages'],
    ['other', { retry: { attempts: 0 } }, 'retry.attempts'],
    ['other', { retry: { delaysMs: [] } }, 'retry.delaysMs'],
    ['other', { retry: { delaysMs: [1.5] } }, 'retry.delaysMs'],
    ['other', { retry: { delaysMs: 'soon' } }, 'retry.delaysMs'],
    ['other', { retry: { delayMs: [5] } }, "did you mean 'delaysMs'"],
    ['other', { retry: 3 }, 'retry: expected an object'],
  ])('is refused at the door: %s %j', async (queue, options, expected) => {
    const { rabbit } = await startHarness({ topology: { queues } })
    expect(() => rabbit.consume(queue, () => undefined, options as never)).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(expected) }),
    )
  })

  it('is accepted where an argument names the target, and for a queue that another service declares', async () => {
    const { rabbit } = await startHarness({ topology: { queues } })
    for (const queue of ['byArgument', 'other'])
      expect(() => rabbit.consume(queue, () => undefined, { retry: {} })).not.toThrow()
  })
})
