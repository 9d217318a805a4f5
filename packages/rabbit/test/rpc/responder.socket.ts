import { pause, until } from '@ha/core/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRabbit, type Delivery, isHaError, quorum, text } from '../../src/index.ts'
import { startHarness } from '../client/harness.ts'
import { client as foreignClient } from '../defects/amqplib-client.ts'
import { settlement } from '../settlement.ts'

const topology = { queues: { calc: quorum({ deadLetterExchange: 'amq.fanout' }), dead: quorum() } }
const dead = { exchanges: {}, bindings: [{ exchange: 'amq.fanout', queue: 'dead' }] }

async function start() {
  const harness = await startHarness({ topology: { ...topology, ...dead } })
  await harness.rabbit.ready()
  return harness
}

async function errorOf(promise: Promise<unknown>) {
  const error: unknown = await promise.catch((thrown: unknown) => thrown)
  if (!isHaError(error)) throw new Error(`no error of the library: ${String(error)}`)
  return error
}

/** A caller that is plain amqplib, with a reply queue of its own. */
async function foreignCaller(...[node]: Parameters<typeof foreignClient>) {
  const { channel } = await foreignClient(node)
  const { queue: replyTo } = await channel.assertQueue('', { exclusive: true })
  const replies: { readonly text: string; readonly properties: Record<string, unknown> }[] = []
  const onReply = (message: { content: Buffer; properties: object } | null): void => {
    if (message !== null)
      replies.push({ text: message.content.toString(), properties: { ...message.properties } })
  }
  await channel.consume(replyTo, onReply, { noAck: true })
  const send = (content: string, properties: object = {}): boolean =>
    channel.sendToQueue('calc', Buffer.from(content), { replyTo, correlationId: 'c1', ...properties })
  return { channel, replyTo, replies, send }
}

describe('respond()', () => {
  it('replies with what the handler returns, and acknowledges the request after the reply is confirmed', async () => {
    const { rabbit, cluster } = await start()
    rabbit.respond<number, number>('calc', async ({ body }) => body * 2)
    expect((await rabbit.request<number>('calc', 21)).body).toBe(42)
    await until('it is acknowledged', () => cluster.queue('calc')?.unacked === 0)
    const order = cluster.log
      .entries({ from: 'client' })
      .map(({ frame }) => String(frame))
      .filter((frame) => frame === 'basic.publish' || frame === 'basic.ack')
    expect(order.slice(0, 3)).toEqual(['basic.publish', 'basic.publish', 'basic.ack'])
  })

  it('does not acknowledge a request whose reply is not confirmed yet', async () => {
    const { rabbit, cluster } = await start()
    const caller = await foreignCaller(cluster.node(2))
    cluster.script({ when: { from: 'client', frame: 'basic.publish', node: 1 }, do: 'lose-confirm' })
    rabbit.respond('calc', () => 'done')
    caller.send('1')
    await until('the reply is there', () => caller.replies.length === 1)
    await pause(100)
    expect(cluster.queue('calc')?.unacked).toBe(1)
  })

  it('understands callers that are plain amqplib', async () => {
    const { rabbit, cluster } = await start()
    const caller = await foreignCaller(cluster.node(2))
    rabbit.respond('calc', ({ body }) => ({ got: body }))
    caller.send('{"a":1}', { messageId: 'm1' })
    await until('it is there', () => caller.replies.length === 1)
    expect(caller.replies[0]).toMatchObject({
      text: '{"got":{"a":1}}',
      properties: { correlationId: 'c1', contentType: 'application/json', deliveryMode: 1 },
    })
    caller.send('2', { messageId: 'm2', correlationId: undefined, persistent: true })
    await until('it is there as well', () => caller.replies.length === 2)
    expect(caller.replies[1]?.properties).toMatchObject({ correlationId: 'm2', deliveryMode: 2 })
  })

  it('sends direct replies without the flag with which the broker would return them', async () => {
    const { rabbit, cluster, events } = await start()
    const caller = await foreignCaller(cluster.node(2))
    rabbit.respond('calc', () => 1)
    caller.send('1', { replyTo: 'amq.rabbitmq.reply-to.g1h2AA5yZXBseQ==.x' })
    await until(
      'it is acknowledged',
      () => cluster.log.entries({ from: 'client', frame: 'basic.ack' }).length === 1,
    )
    expect(cluster.log.entries({ from: 'server', frame: 'basic.return' })).toEqual([])
    expect(events).toEqual([])
  })

  it('handles a request without an address for replies, and sends nothing', async () => {
    const { rabbit, cluster, events } = await start()
    const seen: unknown[] = []
    rabbit.respond('calc', ({ body }) => void seen.push(body))
    const publisher = rabbit.publisher({ key: 'calc' })
    await publisher.publish(1)
    await publisher.publish(2, { replyTo: '' })
    await until('they are handled', () => seen.length === 2 && cluster.queue('calc')?.unacked === 0)
    expect(cluster.log.entries({ from: 'client', frame: 'basic.publish' })).toHaveLength(2)
    expect(events).toEqual([])
  })

  it('replies without content when the handler returns nothing', async () => {
    const { rabbit, cluster } = await start()
    const caller = await foreignCaller(cluster.node(2))
    rabbit.respond('calc', () => undefined)
    expect((await rabbit.request('calc', 1)).body).toBeUndefined()
    caller.send('1')
    await until('it is there', () => caller.replies.length === 1)
    expect(caller.replies[0]?.text).toBe('')
  })

  it('replies with any value, also with words that are dispositions elsewhere', async () => {
    const { rabbit } = await start()
    const answers = ['requeue', 'reject', null, 0, false, '']
    rabbit.respond<number, unknown>('calc', ({ body }) => answers[body])
    const replies = await Promise.all(answers.map((_, i) => rabbit.request('calc', i)))
    expect(replies.map(({ body }) => body)).toEqual(answers)
  })

  it('decodes and encodes with its codecs', async () => {
    const { rabbit } = await start()
    rabbit.respond<string, string>('calc', ({ body }) => `${body}!`, { codec: text() })
    expect((await rabbit.request('calc', 'hey', { codec: text() })).body).toBe('hey!')
  })
})

describe('a handler that throws', () => {
  it('rejects the request of its caller with its message only, and acknowledges', async () => {
    const { rabbit, cluster, events } = await start()
    const failure = new Error('no such account, see amqp://app:secret@host/', { cause: new Error('hidden') })
    rabbit.respond('calc', () => {
      throw failure
    })
    const caller = await foreignCaller(cluster.node(2))
    const error = await errorOf(rabbit.request('calc', 1, { messageId: 'm' }))
    expect(error).toMatchObject({ code: 'request-failed', outcome: 'unknown' })
    expect(error.message).toBe(
      "request m to exchange '' with key 'calc': its handler failed: no such account, see amqp://***@host/",
    )
    caller.send('1')
    await until('it is there', () => caller.replies.length === 1)
    expect(caller.replies[0]).toMatchObject({
      text: '{"error":"no such account, see amqp://***@host/"}',
      properties: { headers: { 'x-request-error': 'no such account, see amqp://***@host/' } },
    })
    await until('both are acknowledged', () => cluster.queue('calc')?.unacked === 0)
    expect(cluster.queue('dead')?.ready).toBe(0)
    expect(events[0]).toMatchObject({
      name: 'handlerFailed',
      event: { queue: 'calc', messageId: 'm', error: failure, stage: 'handler', answer: 'reply', attempt: 1 },
    })
  })

  it('with onError reject, replies and dead-letters the request', async () => {
    const { rabbit, cluster, events } = await start()
    const fail = (): never => {
      throw new Error('broken')
    }
    rabbit.respond('calc', fail, { onError: 'reject' })
    expect(await settlement(rabbit.request('calc', 1))).toBe('request-failed unknown')
    await until('it is dead-lettered', () => cluster.queue('dead')?.ready === 1)
    expect(events).toMatchObject([{ name: 'handlerFailed', event: { answer: 'reject' } }])
  })

  it('with onError requeue, is called again, and its caller waits', async () => {
    const { rabbit, events } = await start()
    let calls = 0
    const handler = (): number => {
      calls += 1
      if (calls < 3) throw new Error('not yet')
      return calls
    }
    rabbit.respond('calc', handler, { onError: 'requeue', requeueDelayMs: 10 })
    expect((await rabbit.request('calc', 1)).body).toBe(3)
    expect(events.map(({ event }) => event['answer'])).toEqual(['requeue', 'requeue'])
  })

  it('is one whose result cannot be encoded', async () => {
    const { rabbit } = await start()
    rabbit.respond('calc', () => 1n)
    const error = await errorOf(rabbit.request('calc', 1))
    expect(error.code).toBe('request-failed')
    expect(error.message).toContain('the reply cannot be encoded')
  })

  it('throws something that is no error, or is very long', async () => {
    const { rabbit } = await start()
    rabbit.respond<number, void>('calc', ({ body }) => {
      throw body === 1 ? 'just text' : new Error('x'.repeat(100_000))
    })
    expect((await errorOf(rabbit.request('calc', 1))).message).toContain('its handler failed: just text')
    expect((await errorOf(rabbit.request('calc', 2))).message.length).toBeLessThan(1_200)
  })
})

it('a request that cannot be decoded is answered with the error, and dead-lettered', async () => {
  const { rabbit, cluster, events } = await start()
  const caller = await foreignCaller(cluster.node(2))
  rabbit.respond('calc', () => 1)
  caller.send('no JSON')
  await until('it is answered', () => caller.replies.length === 1)
  expect(caller.replies[0]?.properties['headers']).toMatchObject({
    'x-request-error': expect.stringContaining("the message of 'calc' cannot be decoded"),
  })
  await until('it is dead-lettered', () => cluster.queue('dead')?.ready === 1)
  expect(events).toMatchObject([{ name: 'handlerFailed', event: { stage: 'decode', answer: 'reject' } }])
})

describe('a reply', () => {
  it('to a queue that is gone is an event, and the request is acknowledged', async () => {
    const { rabbit, cluster, events } = await start()
    const caller = await foreignCaller(cluster.node(2))
    rabbit.respond('calc', () => 1)
    caller.send('1', { replyTo: 'gone', messageId: 'm' })
    await until('it is told', () => events.length === 1 && cluster.queue('calc')?.unacked === 0)
    expect(events).toMatchObject([
      {
        name: 'replyFailed',
        event: {
          queue: 'calc',
          messageId: 'm',
          correlationId: 'c1',
          replyTo: 'gone',
          error: { code: 'unroutable', outcome: 'not-done' },
        },
      },
    ])
    caller.send('2')
    await until('the next one is answered', () => caller.replies.length === 1)
  })

  it('that is too large reaches its caller as an error', async () => {
    const harness = await startHarness({ topology, outbox: { maxBytes: 20_000 } })
    const { rabbit, events } = harness
    rabbit.respond('calc', () => 'x'.repeat(50_000))
    const error = await errorOf(rabbit.request('calc', 1))
    expect(error.code).toBe('request-failed')
    expect(error.message).toContain('bytes')
    expect(events).toMatchObject([{ name: 'replyFailed', event: { error: { code: 'too-large' } } }])
  })

  it('survives the failover of its responder: it is sent once the next node is there', async () => {
    const { rabbit, cluster } = await start()
    const caller = await foreignCaller(cluster.node(3))
    const requests: Delivery<unknown>[] = []
    let goOn = (): void => undefined
    rabbit.respond('calc', async (request) => {
      requests.push(request)
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
      return 'late'
    })
    caller.send('1', { messageId: 'm' })
    await until('its handler runs', () => requests.length === 1)
    await cluster.node(1).kill()
    goOn()
    await until('it is answered', () => caller.replies.length === 1)
    await until('it is acknowledged', () => {
      const { ready, unacked } = cluster.queue('calc') ?? {}
      return ready === 0 && unacked === 0
    })
    expect(requests).toHaveLength(1)
    expect(caller.replies[0]?.text).toBe('"late"')
  })

  it('of a handler that waits for a reply itself is sent before the client is closed', async () => {
    const { rabbit, cluster } = await start()
    const caller = await foreignCaller(cluster.node(3))
    const other = createRabbit({ addresses: cluster.addresses })
    onTestFinished(async () => void (await other.close({ timeoutMs: 600 })))
    await other.respond<number, number>('dead', async ({ body }) => body + 1).ready()
    await rabbit.request('dead', 0)
    let isRunning = false
    rabbit.respond<number, number>('calc', async ({ body }) => {
      isRunning = true
      await pause(200)
      return (await rabbit.request<number>('dead', body)).body
    })
    caller.send('1')
    await until('its handler runs', () => isRunning)
    await rabbit.close({ timeoutMs: 3_000 })
    expect(caller.replies.map((each) => each.text)).toEqual(['2'])
  })
})

describe('wrong arguments of respond()', () => {
  const handler = (): number => 1
  const wrong: readonly (readonly [string, readonly unknown[], string])[] = [
    ['no queue', [undefined, handler], 'respond: expected the name of a queue'],
    ['no handler', ['calc'], "respond 'calc': expected a handler"],
    ['a number as options', ['calc', handler, 5], "respond 'calc'"],
    ['a word of consume', ['calc', handler, { noAck: true }], "respond 'calc'.noAck"],
    [
      'an unknown word',
      ['calc', handler, { onError: 'replay' }],
      "respond 'calc'.onError: expected one of reply",
    ],
    [
      'a codec that is none',
      ['calc', handler, { replyCodec: {} }],
      "respond 'calc'.replyCodec: expected json()",
    ],
    ['a prefetch of 0', ['calc', handler, { prefetch: 0 }], "respond 'calc'.prefetch"],
  ]
  it.each(wrong)('%s', async (_, args, message) => {
    const { rabbit } = await startHarness()
    const error = await errorOf((async () => Reflect.apply(rabbit.respond, rabbit, args))())
    expect(error.code).toBe('config-invalid')
    expect(error.message).toContain(message)
  })
})
