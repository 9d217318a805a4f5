import { type Harness, refusal, type Scenario, type TestClient } from './harness.ts'

type Keys = readonly string[]

// Binds one queue with each key and says which of the messages, named by their keys, it got.
async function reached(stage: Harness, type: string, bound: Keys, published: Keys): Promise<Keys> {
  const { channel } = await stage.actor()
  await channel.assertExchange(stage.exchange('e'), type)
  await channel.assertQueue(stage.queue('q'))
  for (const key of bound) await channel.bindQueue(stage.queue('q'), stage.exchange('e'), key)
  for (const key of published) channel.publish(stage.exchange('e'), key, Buffer.from(key))
  await channel.waitForConfirms()
  return stage.drain(channel, stage.queue('q'))
}

async function headersReached(stage: Harness, binding: object, ...headers: readonly object[]): Promise<Keys> {
  const { channel } = await stage.actor()
  await channel.assertExchange(stage.exchange('e'), 'headers')
  await channel.assertQueue(stage.queue('q'))
  await channel.bindQueue(stage.queue('q'), stage.exchange('e'), '', binding)
  for (const [i, given] of headers.entries()) {
    channel.publish(stage.exchange('e'), '', Buffer.from(String(i)), { headers: given })
  }
  await channel.waitForConfirms()
  return stage.drain(channel, stage.queue('q'))
}

function refusedBinding(
  what: string,
  bind: (stage: Harness, actor: TestClient) => Promise<unknown>,
  expected: string,
): Scenario {
  return {
    name: `refuses to bind ${what}`,
    act: async (stage) => {
      const actor = await stage.actor()
      await actor.channel.assertQueue(stage.queue('q'))
      await actor.channel.assertExchange(stage.exchange('e'), 'headers')
      return refusal(actor, bind(stage, actor))
    },
    expected,
  }
}

/** Where brokers send messages. */
export const routing: readonly Scenario[] = [
  {
    name: 'routes by the exact key',
    act: (stage) => reached(stage, 'direct', ['a', 'a.b'], ['a', 'b', 'a.b', 'a.b.c']),
    expected: ['a', 'a.b'],
  },
  {
    name: 'routes by patterns, to one queue once',
    act: (stage) =>
      reached(stage, 'topic', ['a.*', 'a.#', '#.z'], ['a', 'a.b', 'a.b.c', 'b.z', 'z', 'b', '']),
    expected: ['a', 'a.b', 'a.b.c', 'b.z', 'z'],
  },
  {
    name: 'takes a star for exactly one word',
    act: (stage) => reached(stage, 'topic', ['*.b'], ['b', 'a.b', 'a.a.b', '.b']),
    expected: ['a.b', '.b'],
  },
  {
    name: 'routes everything',
    act: (stage) => reached(stage, 'fanout', ['x'], ['a', '']),
    expected: ['a', ''],
  },
  {
    name: 'routes by all headers',
    act: (stage) =>
      headersReached(stage, { 'x-match': 'all', a: 1, b: 'x' }, { a: 1, b: 'x' }, { a: 1 }, { a: 2, b: 'x' }),
    expected: ['0'],
  },
  {
    name: 'routes by any header',
    act: (stage) => headersReached(stage, { 'x-match': 'any', a: 1, b: 'x' }, { a: 1 }, { b: 'x' }, { c: 1 }),
    expected: ['0', '1'],
  },
  {
    name: 'routes by the mere presence of a header',
    act: (stage) => headersReached(stage, { a: null }, { a: 1 }, { b: 1 }),
    expected: ['0'],
  },
  {
    name: 'routes from exchange to exchange',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertExchange(stage.exchange('from'), 'direct')
      await channel.assertExchange(stage.exchange('to'), 'fanout')
      await channel.assertQueue(stage.queue('q'))
      await channel.bindExchange(stage.exchange('to'), stage.exchange('from'), 'k')
      await channel.bindQueue(stage.queue('q'), stage.exchange('to'), '')
      channel.publish(stage.exchange('from'), 'k', Buffer.from('in'))
      channel.publish(stage.exchange('from'), 'other', Buffer.from('out'))
      await channel.waitForConfirms()
      return stage.drain(channel, stage.queue('q'))
    },
    expected: ['in'],
  },
  {
    name: 'routes in a circle of exchanges once',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertExchange(stage.exchange('a'), 'fanout')
      await channel.assertExchange(stage.exchange('b'), 'fanout')
      await channel.assertQueue(stage.queue('q'))
      await channel.bindExchange(stage.exchange('a'), stage.exchange('b'), '')
      await channel.bindExchange(stage.exchange('b'), stage.exchange('a'), '')
      await channel.bindQueue(stage.queue('q'), stage.exchange('b'), '')
      channel.publish(stage.exchange('a'), '', Buffer.from('round'))
      await channel.waitForConfirms()
      return stage.drain(channel, stage.queue('q'))
    },
    expected: ['round'],
  },
  {
    name: 'routes what fits nothing, and only that, to the alternate exchange',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertExchange(stage.exchange('other'), 'fanout')
      await channel.assertExchange(stage.exchange('e'), 'direct', {
        alternateExchange: stage.exchange('other'),
      })
      for (const name of ['q', 'rest']) await channel.assertQueue(stage.queue(name))
      await channel.bindQueue(stage.queue('rest'), stage.exchange('other'), '')
      await channel.bindQueue(stage.queue('q'), stage.exchange('e'), 'a')
      for (const key of ['a', 'b']) channel.publish(stage.exchange('e'), key, Buffer.from(key))
      await channel.waitForConfirms()
      return [await stage.drain(channel, stage.queue('q')), await stage.drain(channel, stage.queue('rest'))]
    },
    expected: [['a'], ['b']],
  },
  {
    name: 'routes copies, and hides the blind ones',
    act: async (stage) => {
      const { channel } = await stage.actor()
      for (const name of ['a', 'b', 'c']) await channel.assertQueue(stage.queue(name))
      channel.sendToQueue(stage.queue('a'), Buffer.from('x'), { CC: stage.queue('b'), BCC: stage.queue('c') })
      await channel.waitForConfirms()
      const got = await channel.get(stage.queue('c'), { noAck: true })
      return [got !== false && got.properties.headers, await stage.drain(channel, stage.queue('b'))]
    },
    expected: [{ CC: ['b'] }, ['x']],
  },
  {
    name: 'stops routing when a binding is gone, however often it was made',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertExchange(stage.exchange('e'), 'direct')
      await channel.assertQueue(stage.queue('q'))
      await channel.bindQueue(stage.queue('q'), stage.exchange('e'), 'k')
      await channel.bindQueue(stage.queue('q'), stage.exchange('e'), 'k')
      await channel.unbindQueue(stage.queue('q'), stage.exchange('e'), 'k')
      channel.publish(stage.exchange('e'), 'k', Buffer.from('a'))
      await channel.waitForConfirms()
      return stage.drain(channel, stage.queue('q'))
    },
    expected: [],
  },
  {
    name: 'counts what is not there as unbound',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.unbindQueue(stage.queue('q'), stage.exchange('e'), 'k')
      await channel.unbindExchange(stage.exchange('f'), stage.exchange('e'), 'k')
      return 'unbound'
    },
    expected: 'unbound',
  },
  refusedBinding(
    'a queue that is not there',
    (stage, { channel }) => channel.bindQueue(stage.queue('none'), stage.exchange('e'), ''),
    "channel 404: NOT_FOUND - no queue 'none' in vhost '/'",
  ),
  refusedBinding(
    'to an exchange that is not there',
    (stage, { channel }) => channel.bindQueue(stage.queue('none'), stage.exchange('none'), ''),
    "channel 404: NOT_FOUND - no exchange 'none' in vhost '/'",
  ),
  refusedBinding(
    'to the default exchange',
    (stage, { channel }) => channel.bindQueue(stage.queue('q'), '', 'k'),
    'channel 403: ACCESS_REFUSED - operation not permitted on the default exchange',
  ),
  refusedBinding(
    'an exchange that is not there',
    (stage, { channel }) => channel.bindExchange(stage.exchange('none'), stage.exchange('e'), ''),
    "channel 404: NOT_FOUND - no exchange 'none' in vhost '/'",
  ),
  refusedBinding(
    'by an unknown match',
    (stage, { channel }) =>
      channel.bindQueue(stage.queue('q'), stage.exchange('e'), '', { 'x-match': 'foo' }),
    'channel 406: PRECONDITION_FAILED - Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x',
  ),
]
