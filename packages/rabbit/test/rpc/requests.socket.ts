import { AsyncLocalStorage } from 'node:async_hooks'
import { pause, until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import {
  type Codec,
  createRabbit,
  direct,
  fanout,
  isHaError,
  quorum,
  type Rabbit,
  type RabbitOptions,
  text,
} from '../../src/index.ts'
import { startHarness } from '../client/harness.ts'
import { client as foreignClient } from '../defects/amqplib-client.ts'
import { settlement } from '../settlement.ts'

const topology = { queues: { calc: quorum() } }

async function start(options: Partial<RabbitOptions> = {}) {
  const harness = await startHarness({ topology, ...options })
  await harness.rabbit.ready()
  return harness
}

type Foreign = Awaited<ReturnType<typeof foreignClient>>

/** A responder that is plain amqplib: collects requests, and replies when the test says so. */
async function foreignResponder(foreign: Foreign, queue = 'calc') {
  const requests: { readonly content: Buffer; readonly properties: Record<string, unknown> }[] = []
  await foreign.channel.consume(queue, (message) => {
    if (message !== null) requests.push({ content: message.content, properties: { ...message.properties } })
  })
  const reply = (index: number, content: string, more: Record<string, unknown> = {}): void => {
    const { replyTo, correlationId } = requests[index]?.properties ?? {}
    foreign.channel.sendToQueue(String(replyTo), Buffer.from(content), {
      correlationId: String(correlationId),
      ...more,
    })
  }
  return { requests, reply }
}

const replyQueue = (rabbit: Rabbit): string =>
  rabbit
    .health()
    .consume.declarations.map(({ key }) => /^queue (.*\.replies\..*)$/.exec(key)?.[1])
    .find((name) => name !== undefined) ?? ''

async function errorOf(promise: Promise<unknown>) {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!isHaError(error)) throw new Error(`no error of the library: ${String(error)}`)
  return error
}

describe('request()', () => {
  it('resolves with the reply of a responder that is plain amqplib', async () => {
    const { rabbit, cluster } = await start()
    const { requests, reply } = await foreignResponder(await foreignClient(cluster.node(2)))
    const sent = rabbit.request('calc', { a: 1 }, { timeoutMs: 5_000, headers: { tenant: 'x' }, type: 'add' })
    await until('it arrives', () => requests.length === 1)
    const { content, properties = {} as Record<string, unknown> } = requests[0] ?? {}
    expect(JSON.parse(String(content))).toEqual({ a: 1 })
    expect(properties).toMatchObject({
      contentType: 'application/json',
      type: 'add',
      headers: { tenant: 'x' },
    })
    expect(Number(properties['expiration'])).toBeGreaterThan(4_000)
    expect(Number(properties['expiration'])).toBeLessThanOrEqual(5_000)
    reply(0, '{"sum":3}', { headers: { took: 5 }, messageId: 'm' })
    const answer = await sent
    expect(answer).toMatchObject({
      body: { sum: 3 },
      headers: { took: 5 },
      messageId: 'm',
      correlationId: properties['correlationId'],
    })
  })

  it('uses one reply queue for all calls, and gives each caller its own reply', async () => {
    const { rabbit, cluster } = await start()
    const { requests, reply } = await foreignResponder(await foreignClient(cluster.node(2)))
    const calls = Array.from({ length: 10 }, (_, i) => rabbit.request('calc', i))
    await until('all arrive', () => requests.length === 10)
    expect(new Set(requests.map(({ properties }) => properties['replyTo'])).size).toBe(1)
    for (const [i, { content }] of [...requests.entries()].reverse()) reply(i, `1${content}`)
    expect((await Promise.all(calls)).map(({ body }) => body)).toEqual(calls.map((_, i) => 10 + i))
    expect(rabbit.health().requests).toEqual({ pending: 0, bytes: 0, ignoredReplies: 0 })
  })

  it('is not done at once when no queue matches', async () => {
    const { rabbit } = await start()
    expect(await settlement(rabbit.request('nowhere', 1))).toBe('unroutable not-done')
    expect(rabbit.health().requests.pending).toBe(0)
  })

  it('leaves other calls alone when an exchange does not exist', async () => {
    const { rabbit, cluster } = await start()
    const { requests, reply } = await foreignResponder(await foreignClient(cluster.node(2)))
    cluster.script({ when: { from: 'server', frame: 'basic.ack' }, do: 'delay', delayMs: 300 })
    const good = rabbit.request('calc', 1)
    const bad = rabbit.request({ exchange: 'missing', key: 'x' }, 1)
    expect(await settlement(bad)).toBe('exchange-missing not-done')
    await until('it arrives', () => requests.length === 1)
    reply(0, '1')
    expect((await good).body).toBe(1)
  })

  it('goes through an exchange with a key', async () => {
    const { rabbit, cluster } = await start({
      topology: {
        exchanges: { rpc: direct() },
        queues: { calc: quorum() },
        bindings: [{ exchange: 'rpc', queue: 'calc', key: 'add' }],
      },
    })
    const { requests, reply } = await foreignResponder(await foreignClient(cluster.node(2)))
    const sent = rabbit.request({ exchange: 'rpc', key: 'add' }, 'x', { codec: text() })
    await until('it arrives', () => requests.length === 1)
    reply(0, 'plain')
    expect((await sent).body).toBe('plain')
  })

  it('says that the outcome is unknown when the broker has the request and no reply comes', async () => {
    const { rabbit } = await start()
    const error = await errorOf(rabbit.request('calc', 1, { timeoutMs: 200 }))
    expect(error).toMatchObject({ code: 'timed-out', outcome: 'unknown' })
    expect(error.message).toContain(
      "with key 'calc': confirmed by the broker, and no reply came within 200 ms",
    )
  })

  it('counts a reply that comes late or twice, and ignores it', async () => {
    const { rabbit, cluster } = await start()
    const { requests, reply } = await foreignResponder(await foreignClient(cluster.node(2)))
    expect(await settlement(rabbit.request('calc', 1, { timeoutMs: 200 }))).toBe('timed-out unknown')
    const second = rabbit.request('calc', 2)
    await until('both arrived', () => requests.length === 2)
    reply(0, '"late"')
    reply(1, '"once"')
    reply(1, '"twice"')
    expect((await second).body).toBe('once')
    await until('they are counted', () => rabbit.health().requests.ignoredReplies === 2)
    await until('they are acknowledged', () => cluster.queue(replyQueue(rabbit))?.unacked === 0)
  })

  it('has not been sent when its reply queue cannot be declared in time', async () => {
    const { rabbit, cluster } = await start()
    cluster.script({ when: { from: 'client', frame: 'queue.declare' }, do: 'drop' })
    const error = await errorOf(rabbit.request('calc', 1, { timeoutMs: 300 }))
    expect(error).toMatchObject({ code: 'timed-out', outcome: 'not-done', retryable: true })
    expect(error.message).toContain('its reply queue was not declared within 300 ms')
    expect(cluster.queue('calc')?.ready).toBe(0)
  })

  it('is rejected at once when the broker refuses the reply queue', async () => {
    const { rabbit, cluster } = await start()
    cluster.script({
      when: { from: 'client', frame: 'queue.declare' },
      do: 'close-channel',
      replyCode: 403,
      replyText: "ACCESS_REFUSED - configure access to queue 'x' refused",
    })
    expect(await settlement(rabbit.request('calc', 1))).toBe('access-refused not-done')
  })

  it('ends with the signal of its caller, before and after it is sent', async () => {
    const { rabbit, cluster } = await start()
    expect(await settlement(rabbit.request('calc', 1, { signal: AbortSignal.abort() }))).toBe(
      'aborted not-done',
    )
    expect(cluster.queue('calc')?.ready).toBe(0)
    const caller = new AbortController()
    const sent = rabbit.request('calc', 1, { signal: caller.signal })
    await until('it arrives', () => cluster.queue('calc')?.ready === 1)
    await pause(50)
    caller.abort(new Error('changed my mind'))
    const error = await errorOf(sent)
    expect(error).toMatchObject({
      code: 'aborted',
      outcome: 'unknown',
      cause: { message: 'changed my mind' },
    })
    expect(rabbit.health().requests.pending).toBe(0)
  })

  it('has not been sent when its caller gives up before the reply queue is declared', async () => {
    const { rabbit, cluster } = await start()
    cluster.script({ when: { from: 'client', frame: 'queue.declare' }, do: 'drop' })
    const signal = AbortSignal.timeout(100)
    expect(await settlement(rabbit.request('calc', 1, { signal }))).toBe('aborted not-done')
    expect(rabbit.health().requests).toMatchObject({ pending: 0, bytes: 0 })
  })

  it('takes the first reply of several responders, and counts the others', async () => {
    const { rabbit } = await start({
      topology: {
        exchanges: { all: fanout() },
        queues: { one: quorum(), two: quorum() },
        bindings: [
          { exchange: 'all', queue: 'one' },
          { exchange: 'all', queue: 'two' },
        ],
      },
    })
    rabbit.respond('one', () => 'one')
    rabbit.respond('two', () => pause(100))
    expect((await rabbit.request({ exchange: 'all' }, 1)).body).toBe('one')
    await until('the other is counted', () => rabbit.health().requests.ignoredReplies === 1)
  })

  it('is refused at once when it is too large, and leaves the others alone', async () => {
    const { rabbit } = await start({ outbox: { maxBytes: 100_000 } })
    rabbit.respond('calc', ({ body }) => body)
    const good = rabbit.request('calc', 1)
    expect(await settlement(rabbit.request('calc', 'x'.repeat(200_000)))).toBe('too-large not-done')
    const headers = { a: 'x'.repeat(70_000) }
    expect(await settlement(rabbit.request('calc', 1, { headers }))).toBe('too-large not-done')
    expect((await good).body).toBe(1)
  })

  it('has a reply queue whose name fits, however long the name of the client is', async () => {
    const { rabbit } = await start({ name: 'é'.repeat(200) })
    rabbit.respond('calc', ({ body }) => body)
    expect((await rabbit.request('calc', 1)).body).toBe(1)
    expect(Buffer.byteLength(replyQueue(rabbit))).toBeLessThanOrEqual(255)
  })

  it('takes no more calls than its limits', async () => {
    const { rabbit } = await start({ requests: { maxPending: 2 } })
    const calls = [1, 2].map((i) => rabbit.request('calc', i, { timeoutMs: 400 }))
    const error = await errorOf(rabbit.request('calc', 3))
    expect(error).toMatchObject({ code: 'buffer-full', outcome: 'not-done' })
    expect(error.message).toContain('requests.maxPending')
    await Promise.all(calls.map(settlement))
    const { rabbit: small } = await start({ requests: { maxBytes: 4_096 } })
    const large = await errorOf(small.request('calc', 'x'.repeat(5_000)))
    expect(large.message).toContain('requests.maxBytes')
  })

  it('rejects with what the codec of the reply throws: the request was done', async () => {
    const { rabbit, cluster } = await start()
    const { requests, reply } = await foreignResponder(await foreignClient(cluster.node(2)))
    const sent = rabbit.request('calc', 1)
    await until('it arrives', () => requests.length === 1)
    reply(0, 'no JSON')
    expect(await settlement(sent)).toBe('decode-failed done')
  })

  it('keeps the async context of each caller', async () => {
    const { rabbit, cluster } = await start()
    const context = new AsyncLocalStorage<string>()
    const { requests, reply } = await foreignResponder(await foreignClient(cluster.node(2)))
    const seen: unknown[] = []
    const codec: Codec<unknown> = {
      contentType: 'x/y',
      encode: () => Buffer.from('1'),
      decode: () => context.getStore(),
    }
    const call = (name: string) =>
      context.run(name, async () => {
        const { body } = await rabbit.request('calc', 1, { codec })
        seen.push([name, body, context.getStore()])
      })
    const calls = ['a', 'b'].map(call)
    await until('both arrive', () => requests.length === 2)
    reply(1, '2')
    reply(0, '1')
    await Promise.all(calls)
    expect(seen.sort()).toEqual([
      ['a', 'a', 'a'],
      ['b', 'b', 'b'],
    ])
  })
})

describe('pending calls', () => {
  it('get the replies that are sent after the node of their client was killed', async () => {
    const { rabbit, cluster } = await start()
    const { requests, reply } = await foreignResponder(await foreignClient(cluster.node(3)))
    const calls = [1, 2, 3].map((i) => rabbit.request('calc', i))
    await until('all arrive', () => requests.length === 3)
    await cluster.node(1).kill()
    reply(0, '10')
    await until('it has moved', () => rabbit.health().lastFailover !== undefined)
    reply(1, '20')
    reply(2, '30')
    expect((await Promise.all(calls)).map(({ body }) => body)).toEqual([10, 20, 30])
    expect(requests).toHaveLength(3)
  })

  it('are not sent twice, and wait for their replies, when the connection is lost before the confirm', async () => {
    const { rabbit, cluster } = await start()
    const { requests, reply } = await foreignResponder(await foreignClient(cluster.node(3)))
    cluster.script({
      when: { from: 'client', frame: 'basic.publish', node: 1, fields: { routingKey: 'calc' } },
      do: 'lose-confirm',
    })
    const answered = rabbit.request('calc', 1)
    const silent = rabbit.request('calc', 2, { timeoutMs: 1_500 })
    await until('they arrive', () => requests.length === 2)
    await cluster.node(1).kill()
    await until('it has moved', () => rabbit.health().lastFailover !== undefined)
    reply(0, '"yes"')
    expect((await answered).body).toBe('yes')
    const error = await errorOf(silent)
    expect(error).toMatchObject({ code: 'timed-out', outcome: 'unknown', cause: { code: 'outcome-unknown' } })
    expect(error.message).toContain('sent, but not confirmed, and no reply came')
    expect(requests).toHaveLength(2)
  })

  it('are sent again after a failover when repeatable, with the same ids', async () => {
    const { rabbit, cluster } = await start()
    const { requests, reply } = await foreignResponder(await foreignClient(cluster.node(3)))
    const sent = rabbit.request('calc', 1, { repeatable: true })
    const once = rabbit.request('calc', 2, { timeoutMs: 2_000 })
    await until('they arrive', () => requests.length === 2)
    await pause(50)
    await cluster.node(1).kill()
    await until('it comes again', () => requests.length >= 3)
    reply(2, '"second"')
    expect((await sent).body).toBe('second')
    expect(await settlement(once)).toBe('timed-out unknown')
    const ids = requests.map(({ properties }) => [properties['messageId'], properties['correlationId']])
    expect(ids).toEqual([ids[0], ids[1], ids[0]])
  })

  it('are sent again three times at most', async () => {
    const { rabbit, cluster } = await start()
    const { requests } = await foreignResponder(await foreignClient(cluster.node(3)))
    const foreign = cluster.connections.find(({ node }) => node === 3)
    const settled = settlement(rabbit.request('calc', 1, { repeatable: true, timeoutMs: 4_000 }))
    const own = () => cluster.connections.filter(({ connection }) => connection !== foreign?.connection)
    for (let losses = 1; losses <= 5; losses++) {
      await until('it is there', () => requests.length >= Math.min(losses, 4))
      await pause(100)
      for (const { connection } of own()) cluster.closeConnection(connection)
      await until('it is back', () => rabbit.health().state === 'ready' && own().length === 2)
    }
    expect(await settled).toBe('timed-out unknown')
    expect(requests).toHaveLength(4)
  })

  it('have not been sent while the broker blocks publishers', async () => {
    const { rabbit, cluster } = await start()
    cluster.raiseAlarm()
    // The broker blocks a connection when it publishes.
    const first = settlement(rabbit.request('calc', 1, { timeoutMs: 300 }))
    await until('it is blocked', () => rabbit.health().publish.state === 'suspended')
    expect(await settlement(rabbit.request('calc', 2, { timeoutMs: 300 }))).toBe('timed-out not-done')
    expect(await first).toBe('timed-out unknown')
    cluster.clearAlarm()
  })

  it('can be made again once the broker allows the reply queue', async () => {
    const { rabbit, cluster } = await start()
    rabbit.respond('calc', () => 1)
    const stop = cluster.script({
      when: { from: 'client', frame: 'queue.declare' },
      do: 'close-channel',
      replyCode: 403,
      replyText: "ACCESS_REFUSED - configure access to queue 'x' refused",
    })
    expect(await settlement(rabbit.request('calc', 1))).toBe('access-refused not-done')
    stop()
    await expect
      .poll(() => settlement(rabbit.request('calc', 1, { timeoutMs: 1_000 })), { timeout: 10_000 })
      .toBe('confirmed')
  })

  it('get their replies after the reply queue was deleted, and what is repeatable is sent again', async () => {
    const { rabbit, cluster } = await start()
    const { requests, reply } = await foreignResponder(await foreignClient(cluster.node(3)))
    const sent = rabbit.request('calc', 1, { repeatable: true })
    const other = rabbit.request('calc', 2)
    await until('they arrive', () => requests.length === 2)
    await pause(50)
    cluster.deleteQueue(replyQueue(rabbit))
    await until('it comes again', () => requests.length === 3)
    reply(1, '"other"')
    reply(2, '"again"')
    expect((await sent).body).toBe('again')
    expect((await other).body).toBe('other')
  })

  it('are rejected with their outcome by close()', async () => {
    const { cluster } = await start()
    const rabbit = createRabbit({ addresses: cluster.addresses, strategy: 'sequential', topology })
    const pending = rabbit.request('calc', 1)
    await until('it arrives', () => cluster.queue('calc')?.ready === 1)
    await pause(50)
    const settled = settlement(pending)
    await rabbit.close({ timeoutMs: 300 })
    expect(await settled).toBe('closed unknown')
    expect(await settlement(rabbit.request('calc', 1))).toBe('closed not-done')
  })

  it('are rejected by close() as unknown when they are sent and not confirmed', async () => {
    const { cluster } = await start()
    const rabbit = createRabbit({ addresses: cluster.addresses, strategy: 'sequential', topology })
    cluster.script({ when: { from: 'client', frame: 'basic.publish' }, do: 'lose-confirm' })
    const settled = settlement(rabbit.request('calc', 1))
    await until('it arrives', () => cluster.queue('calc')?.ready === 1)
    await rabbit.close({ timeoutMs: 300 })
    expect(await settled).toBe('closed unknown')
  })

  it('get their replies during close(), which then deletes the reply queue', async () => {
    const { cluster } = await start()
    const rabbit = createRabbit({ addresses: cluster.addresses, strategy: 'sequential', topology })
    const { requests, reply } = await foreignResponder(await foreignClient(cluster.node(3)))
    const pending = rabbit.request('calc', 1)
    await until('it arrives', () => requests.length === 1)
    await until('the reply queue is consumed', () => cluster.queue(replyQueue(rabbit))?.consumers === 1)
    const queue = replyQueue(rabbit)
    const closing = rabbit.close({ timeoutMs: 5_000 })
    reply(0, '1')
    expect((await pending).body).toBe(1)
    await closing
    expect(cluster.queue(queue)).toBeUndefined()
  })

  it('have not been sent when the client closes while no server is there', async () => {
    const { cluster } = await start()
    for (const node of cluster.nodes) await node.kill()
    const rabbit = createRabbit({ addresses: cluster.addresses })
    const settled = settlement(rabbit.request('calc', 1))
    await rabbit.close({ timeoutMs: 200 })
    expect(await settled).toBe('closed not-done')
  })
})

describe('wrong arguments of request()', () => {
  const unreadable = {
    get encode(): never {
      throw new Error('do not look')
    },
  }
  const wrong: readonly (readonly [string, readonly unknown[], string])[] = [
    ['no target', [undefined, 1], 'request.target: expected the name of a queue, or { exchange, key }'],
    ['an empty target', ['', 1], 'request.target: expected the name of a queue'],
    ['a list as target', [[], 1], 'request.target: expected'],
    ['no address in the target', [{}, 1], 'request.target: expected'],
    [
      'a word that is no part of the target',
      [{ queue: 'q' }, 1],
      'request.target.queue: there is no such option',
    ],
    ['a key that is no text', [{ key: 5 }, 1], 'request.target.key: expected text'],
    ['options that are null', ['calc', 1, null], 'request: expected an object of options'],
    [
      'no number of milliseconds',
      ['calc', 1, { timeoutMs: Number.NaN }],
      'request.timeoutMs: expected a number',
    ],
    [
      'an endless wait',
      ['calc', 1, { timeoutMs: Number.POSITIVE_INFINITY }],
      'request.timeoutMs: expected a number',
    ],
    ['a reply queue of its own', ['calc', 1, { replyTo: 'q' }], 'request.replyTo: there is no such option'],
    ['the word of another library', ['calc', 1, { idempotent: true }], "it is called 'repeatable' here"],
    ['a codec that is none', ['calc', 1, { codec: {} }], 'request.codec: expected json(), text(), bytes()'],
    ['a codec of replies that is none', ['calc', 1, { replyCodec: 5 }], 'request.replyCodec: expected'],
    ['a body that is no JSON', ['calc', undefined], 'the request cannot be encoded'],
    ['headers that are no object', ['calc', 1, { headers: 5 }], 'request.headers: expected an object'],
    ['a codec that cannot be read', ['calc', 1, { codec: unreadable }], 'request.codec: could not be read'],
    ['a signal that is none', ['calc', 1, { signal: {} }], 'request.signal: expected an AbortSignal'],
  ]
  it.each(wrong)('%s', async (_, args, message) => {
    const rabbit = createRabbit('amqp://127.0.0.1:1')
    const error = await errorOf(Reflect.apply(rabbit.request, rabbit, args))
    expect(error).toMatchObject({ code: 'config-invalid', outcome: 'not-done' })
    expect(error.message).toContain(message)
    expect(rabbit.health().consume.state).toBe('idle')
    await rabbit.close()
  })

  it('a correlation id that another call has', async () => {
    const { rabbit } = await start()
    const first = settlement(rabbit.request('calc', 1, { correlationId: 'c', timeoutMs: 300 }))
    const error = await errorOf(rabbit.request('calc', 1, { correlationId: 'c' }))
    expect(error.message).toContain("request.correlationId: another request with 'c' awaits its reply")
    expect(await first).toBe('timed-out unknown')
  })
})
