import { AsyncLocalStorage } from 'node:async_hooks'
import { pause, until } from '@ha/core/testing'
import { describe, expect, it, vi } from 'vitest'
import { type Consumer, fanout, quorum, text } from '../../src/index.ts'
import { startHarness } from './harness.ts'

const topology = { queues: { bill: quorum() } }

const withGrave = {
  exchanges: { dead: fanout() },
  queues: { bill: quorum({ deadLetterExchange: 'dead' }), grave: quorum() },
  bindings: [{ exchange: 'dead', queue: 'grave' }],
}

describe('a message that cannot be decoded', () => {
  it('is rejected and reported, and the good ones behind it are handled', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology: withGrave })
    await rabbit.ready()
    const raw = rabbit.publisher({ key: 'bill', codec: text() })
    for (let i = 0; i < 40; i += 1) await raw.publish('{"broken')
    await rabbit.publisher({ key: 'bill' }).publish({ good: true })
    const bodies: unknown[] = []
    rabbit.consume('bill', ({ body }) => void bodies.push(body))
    await until('the good one is handled', () => bodies.length === 1)
    await until('the others are dead-lettered', () => cluster.queue('grave')?.ready === 40)
    expect(events).toHaveLength(40)
    expect(events[0]).toMatchObject({
      name: 'handlerFailed',
      event: { queue: 'bill', stage: 'decode', answer: 'reject', error: { code: 'decode-failed' } },
    })
  })

  it('goes to the function that the consumer has for it, whose result counts', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology: withGrave })
    await rabbit.ready()
    const raw = rabbit.publisher({ key: 'bill', codec: text() })
    for (const body of ['{keep', '{bury']) await raw.publish(body)
    const seen: string[] = []
    rabbit.consume('bill', () => undefined, {
      onDecodeError: ({ content, body }, error) => {
        seen.push(`${content} ${body} ${error.code}`)
        return content.toString() === '{bury' ? 'reject' : 'ack'
      },
    })
    await until('one is dead-lettered', () => cluster.queue('grave')?.ready === 1)
    await until('the other one is acknowledged', () => cluster.queue('bill')?.unacked === 0)
    expect(seen).toEqual(['{keep undefined decode-failed', '{bury undefined decode-failed'])
    expect(events).toEqual([])
  })

  it('is also one whose codec returns a promise: nothing is unhandled', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology: withGrave })
    await rabbit.ready()
    await rabbit.publisher({ key: 'bill' }).publish(1)
    const codec = { ...text(), decode: () => Promise.reject(new Error('late')) as never }
    rabbit.consume('bill', () => undefined, { codec })
    await until('it is dead-lettered', () => cluster.queue('grave')?.ready === 1)
    expect(String(events[0]?.event['error'])).toContain('a codec is synchronous')
  })

  it('is delivered again after growing delays when the consumer wants that', async () => {
    const { rabbit, events } = await startHarness({ topology })
    await rabbit.publisher({ key: 'bill', codec: text() }).publish('{')
    rabbit.consume('bill', () => undefined, { onDecodeError: 'requeue', requeueDelayMs: 10 })
    await until('it failed twice', () => events.length >= 2)
    expect(
      events.slice(0, 2).map(({ event }) => [event['answer'], event['attempt'], event['delayMs']]),
    ).toEqual([
      ['requeue', 1, 10],
      ['requeue', 2, 200],
    ])
  })
})

describe('a failing handler', () => {
  it('rejects its message, which the queue counts, and a deliberate requeue nacks', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    let runs = 0
    rabbit.consume(
      'bill',
      () => {
        runs += 1
        if (runs === 1) throw new Error('not yet')
        return runs === 2 ? 'requeue' : 'ack'
      },
      { requeueDelayMs: 10 },
    )
    await rabbit.publisher({ key: 'bill' }).publish(1)
    await until('it is acknowledged', () => runs === 3 && cluster.queue('bill')?.unacked === 0)
    const answers = ['basic.reject', 'basic.nack', 'basic.ack'] as const
    const sent = answers.map((frame) =>
      cluster.log.entries({ from: 'client', frame }).map(({ fields }) => fields),
    )
    expect(sent).toMatchObject([[{ requeue: true }], [{ requeue: true, multiple: false }], [{}]])
  })

  it('is dead-lettered after the limit of its queue', async () => {
    const { rabbit, cluster, events } = await startHarness({
      topology: {
        ...withGrave,
        queues: { ...withGrave.queues, bill: quorum({ deadLetterExchange: 'dead', deliveryLimit: 2 }) },
      },
    })
    rabbit.consume('bill', () => Promise.reject(new Error('never')), { requeueDelayMs: 0 })
    await rabbit.ready()
    await rabbit.publisher({ key: 'bill' }).publish(1)
    await until('it is dead-lettered', () => cluster.queue('grave')?.ready === 1)
    expect(events.map(({ event }) => event['delayMs'])).toEqual([0, 200, 400])
  })

  it.each([
    [
      'throws',
      (): never => {
        throw new Error('no')
      },
    ],
    ['returns requeue', (): 'requeue' => 'requeue'],
  ])('does not spin when it %s, whatever its delay', async (_, fail) => {
    const { rabbit } = await startHarness({ topology })
    let runs = 0
    rabbit.consume(
      'bill',
      () => {
        runs += 1
        return fail()
      },
      { requeueDelayMs: 0 },
    )
    await rabbit.publisher({ key: 'bill' }).publish(1)
    await pause(900)
    expect(runs).toBeGreaterThan(1)
    expect(runs).toBeLessThan(5)
  })

  it('does not delay the end of its consumer with a message that is held back, which goes back uncounted', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    const consumer = rabbit.consume('bill', () => Promise.reject(new Error('no')), { requeueDelayMs: 60_000 })
    await rabbit.publisher({ key: 'bill' }).publish(1)
    await until('it is held back', () => events.length === 1)
    const startedAt = performance.now()
    expect(await consumer.stop({ timeoutMs: 5_000 })).toEqual({ abandoned: 0 })
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    await until('it is back', () => cluster.queue('bill')?.ready === 1)
    expect(cluster.log.entries({ from: 'client', frame: 'basic.reject' })).toEqual([])
    expect(cluster.log.entries({ from: 'client', frame: 'basic.nack' })).toHaveLength(1)
  })
})

describe('a handler that takes longer than the consumer_timeout of the broker', () => {
  it('is begun once for a message without an id, and the event has the reason of the broker', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology }, { consumerTimeoutMs: 150 })
    let begun = 0
    rabbit.consume('bill', async () => {
      begun += 1
      await pause(900)
    })
    await rabbit.ready()
    await rabbit.withChannel(async (channel) => channel.sendToQueue('bill', Buffer.from('{}')))
    await until('it is answered', () => begun > 0 && rabbit.health().consumers[0]?.running === 0)
    const left = (): number => (cluster.queue('bill')?.ready ?? 0) + (cluster.queue('bill')?.unacked ?? 0)
    await until('the queue is empty', () => left() === 0)
    expect(begun).toBe(1)
    const lost = events.find(({ name }) => name === 'consumerLost')
    expect(String(lost?.event['error'])).toContain('delivery acknowledgement on channel')
  })
})

describe('the context of a handler', () => {
  it('is that of the caller of consume(), and not that of an earlier delivery', async () => {
    const { rabbit } = await startHarness({ topology })
    const context = new AsyncLocalStorage<string>()
    const seen: (string | undefined)[] = []
    context.run('service', () =>
      rabbit.consume(
        'bill',
        ({ body }) => {
          seen.push(context.getStore())
          context.enterWith(`message ${body}`)
          if (body === 2) throw new Error('no')
        },
        { onError: 'reject', prefetch: 1 },
      ),
    )
    const publisher = rabbit.publisher({ key: 'bill' })
    await context.run('publisher', async () => {
      for (let i = 0; i < 4; i += 1) await publisher.publish(i)
    })
    await until('all are handled', () => seen.length === 4)
    expect(seen).toEqual(['service', 'service', 'service', 'service'])
  })
})

describe('a worker that takes one message and leaves', () => {
  it.each(['quorum', 'slow'] as const)('has its acknowledgement processed (%s)', async (how) => {
    const { rabbit, cluster } = await startHarness({ topology })
    await rabbit.publisher({ key: 'bill' }).publish(1)
    // The first message arrives long before the answer to the subscription is processed.
    if (how === 'slow')
      cluster.script({ when: { from: 'client', frame: 'basic.ack' }, do: 'delay', delayMs: 50 })
    await new Promise<void>((done) => {
      rabbit.consume('bill', () => done(), { prefetch: 1 })
    })
    expect(await rabbit.close({ timeoutMs: 3_000 })).toMatchObject({ abandoned: 0 })
    expect([cluster.queue('bill')?.ready, cluster.queue('bill')?.unacked]).toEqual([0, 0])
  })

  it('stops in its own handler', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    const publisher = rabbit.publisher({ key: 'bill' })
    for (let i = 0; i < 3; i += 1) await publisher.publish(i)
    const stopped = await new Promise<Promise<unknown>>((done) => {
      const consumer: Consumer = rabbit.consume('bill', (): void => done(consumer.stop()), { prefetch: 1 })
    })
    expect(await stopped).toEqual({ abandoned: 0 })
    await until('the others wait', () => cluster.queue('bill')?.ready === 2)
    expect(cluster.queue('bill')?.unacked).toBe(0)
  })
})

describe('a consumer without acks', () => {
  it('sends no answer, runs as many handlers as its prefetch, and loses what fails', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    let running = 0
    let most = 0
    const seen: unknown[] = []
    rabbit.consume(
      'bill',
      async ({ body }) => {
        running += 1
        most = Math.max(most, running)
        await pause(5)
        running -= 1
        seen.push(body)
        if (body === 3) throw new Error('no')
        if (body === 4) return 'requeue'
        return
      },
      { noAck: true, prefetch: 2 },
    )
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'bill' })
    await Promise.all(Array.from({ length: 20 }, (_, i) => publisher.publish(i)))
    await until('all are handled', () => seen.length === 20)
    expect(most).toBe(2)
    expect(cluster.log.entries({ from: 'client', frame: 'basic.ack' })).toEqual([])
    expect(
      events.map(({ name, event }) => [name, event['answer'], (event['error'] as Error).message]),
    ).toEqual([
      ['handlerFailed', 'none', 'no'],
      [
        'handlerFailed',
        'none',
        "the handler of 'bill' returned 'requeue', and its consumer has no acks (noAck)",
      ],
    ])
  })

  it('asks for a pause when its handlers are slower than the broker, and loses nothing', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'bill' })
    await Promise.all(Array.from({ length: 3_000 }, (_, i) => publisher.publish(i)))
    const seen: unknown[] = []
    let goOn = (): void => undefined
    const gate = new Promise<void>((resolve) => (goOn = resolve))
    const consumer = rabbit.consume(
      'bill',
      async ({ body }) => {
        await gate
        seen.push(body)
      },
      { noAck: true },
    )
    await until(
      'it pauses',
      () => cluster.log.entries({ from: 'client', frame: 'basic.cancel' }).length === 1,
    )
    goOn()
    await until('all that was sent is handled', () => seen.length === 3_000)
    await publisher.publish('after')
    await until('it consumes', () => seen.length === 3_001)
    expect(new Set(seen).size).toBe(3_001)
    expect(await consumer.stop()).toEqual({ abandoned: 0 })
  })
})

const ignore = (): void => undefined

describe('consume() from plain JavaScript', () => {
  it.each([
    [undefined, ignore, {}, 'expected the name of a queue'],
    ['bill', 'handler', {}, 'expected a handler'],
    ['bill', ignore, null, 'expected an object'],
    ['bill', ignore, 5, 'expected an object'],
    ['bill', ignore, { onDecodeError: 'rejct' }, "did you mean 'reject'"],
    ['bill', ignore, { onDecodeError: 5 }, 'expected requeue, reject or a function'],
    ['bill', ignore, { noAck: 'yes' }, 'expected true or false'],
    ['bill', ignore, { noAck: true, onError: 'reject' }, 'onError: with noAck'],
    ['bill', ignore, { noAck: true, onDecodeError: 'requeue' }, 'onDecodeError: with noAck'],
    ['bill', ignore, { arguments: { 'x-stream-offset': 'frist' } }, 'expected an offset'],
    ['bill', ignore, { arguments: { 'x-stream-offset': -1 } }, 'expected an offset'],
    ['bill', ignore, { arguments: { 'x-stream-offset': new Date(Number.NaN) } }, 'expected an offset'],
    ['b'.repeat(256), ignore, {}, 'at most 255 bytes'],
  ])('refuses wrong arguments at the door: %j', async (queue, handler, options, expected) => {
    const { rabbit, cluster } = await startHarness()
    const call = (): unknown => rabbit.consume(queue as never, handler as never, options as never)
    expect(call).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(expected) }),
    )
    expect(cluster.log.entries({ from: 'client', frame: 'basic.consume' })).toEqual([])
  })

  it.each([null, 5, 'x', { timeoutMs: 'soon' }, { timeoutMs: Number.NaN }, { timeoutMs: -1 }])(
    'refuses a wrong limit of ready() and of stop(): %j',
    async (limit) => {
      const { rabbit } = await startHarness({ topology })
      const consumer = rabbit.consume('bill', () => undefined)
      const invalid = expect.objectContaining({ code: 'config-invalid' })
      await expect(consumer.ready(limit as never)).rejects.toEqual(invalid)
      await expect(consumer.stop(limit as never)).rejects.toEqual(invalid)
    },
  )
})

describe('the other calls of a client from plain JavaScript', () => {
  it.each([
    ['ready', [null], 'ready'],
    ['ready', [{ timeoutMs: 'soon' }], 'ready.timeoutMs'],
    ['ready', [{ repeatable: true }], 'ready.repeatable'],
    ['withChannel', [undefined], 'withChannel'],
    ['withChannel', [5], 'withChannel'],
    ['withChannel', [ignore, null], 'withChannel'],
    ['withChannel', [ignore, { signal: {} }], 'withChannel.signal'],
    ['withChannel', [ignore, { repeatable: 1 }], 'withChannel.repeatable'],
    ['drain', [{ timeoutMs: -1 }], 'drain.timeoutMs'],
    ['close', [{ timeoutMs: Number.NaN }], 'close.timeoutMs'],
    ['nameOf', [undefined], 'nameOf'],
  ] as const)('refuse wrong arguments: %s %j', async (call, args, path) => {
    const { rabbit } = await startHarness({ topology })
    const work: (...given: readonly unknown[]) => unknown = rabbit[call].bind(rabbit) as never
    await expect((async () => work(...args))()).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining(`${path}: `),
    })
  })
})

it('keeps going when a listener of its failures throws', async () => {
  const { rabbit, cluster } = await startHarness({ topology })
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  rabbit.events.on('handlerFailed', () => {
    throw new Error('a bad listener')
  })
  rabbit.consume('bill', () => undefined)
  await rabbit.publisher({ key: 'bill', codec: text() }).publish('{')
  await rabbit.publisher({ key: 'bill' }).publish(1)
  await until(
    'both are answered',
    () => cluster.queue('bill')?.ready === 0 && cluster.queue('bill')?.unacked === 0,
  )
  expect(warned).toHaveBeenCalledTimes(1)
  warned.mockRestore()
})
