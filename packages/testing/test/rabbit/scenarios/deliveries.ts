import type { ConsumeMessage } from 'amqplib'
import { type Harness, refusal, type Scenario, type TestClient, textOf } from './harness.ts'

// Consumes and keeps what comes, in order.
async function consumed(
  stage: Harness,
  { channel }: TestClient,
  name = '',
): Promise<readonly ConsumeMessage[]> {
  const messages: ConsumeMessage[] = []
  await channel.consume(stage.queue('q'), (message) => {
    if (message === null) return
    messages.push(message)
    stage.seen.push(name + textOf(message))
  })
  return messages
}

async function filled(stage: Harness, options: object, ...texts: readonly string[]): Promise<TestClient> {
  const actor = await stage.actor()
  await actor.channel.assertQueue(stage.queue('q'), options)
  await stage.fill(actor.channel, stage.queue('q'), ...texts)
  return actor
}

async function afterRefusing(stage: Harness, options: object): Promise<readonly string[]> {
  const { channel } = await filled(stage, options, 'a', 'b', 'c', 'd')
  const got = [await channel.get(stage.queue('q')), await channel.get(stage.queue('q'))]
  for (const message of got.reverse()) if (message !== false) channel.nack(message)
  await stage.settled(channel)
  return stage.drain(channel, stage.queue('q'))
}

async function afterLosing(stage: Harness, options: object): Promise<readonly string[]> {
  const { channel } = await filled(stage, options, 'a', 'b', 'c', 'd')
  const other = await stage.actor()
  await other.channel.prefetch(3)
  await other.channel.consume(stage.queue('q'), () => undefined)
  await stage.settled(other.channel)
  await other.model.close()
  await stage.settled(channel)
  return stage.drain(channel, stage.queue('q'))
}

function unknownTag(what: string, answer: (actor: TestClient) => void): Scenario {
  return {
    name: `closes the channel of who ${what} a tag that nobody gave`,
    act: async (stage) => {
      const actor = await stage.actor()
      answer(actor)
      return actor.refused
    },
    expected: 'channel 406: PRECONDITION_FAILED - unknown delivery tag 9',
  }
}

const ninth = { fields: { deliveryTag: 9 } } as ConsumeMessage
const quorum = { arguments: { 'x-queue-type': 'quorum' } }

// The second consumer waits for its turn, and then has what the first one held before what came meanwhile.
function singleActive(kind: string, options: object): Scenario {
  return {
    name: `hands everything of a ${kind} queue to its single active consumer until it is gone`,
    act: async (stage) => {
      const one = await filled(stage, options)
      const two = await stage.actor()
      await consumed(stage, one, '1:')
      await consumed(stage, two, '2:')
      await stage.fill(two.channel, stage.queue('q'), 'a', 'b', 'c')
      await stage.settled(two.channel)
      await one.model.close()
      await stage.fill(two.channel, stage.queue('q'), 'd')
      await stage.settled(two.channel)
    },
    expected: { seen: ['1:a', '1:b', '1:c', '2:a*', '2:b*', '2:c*', '2:d'] },
  }
}

const single = { 'x-single-active-consumer': true }

/** How brokers deliver and what they make of answers. */
export const deliveries: readonly Scenario[] = [
  singleActive('classic', { arguments: single }),
  singleActive('quorum', { arguments: { ...single, ...quorum.arguments } }),
  {
    name: 'delivers no more than the prefetch, and more when something is acknowledged',
    act: async (stage) => {
      const actor = await filled(stage, {}, 'a', 'b', 'c', 'd')
      await actor.channel.prefetch(2)
      const messages = await consumed(stage, actor)
      await stage.settled(actor.channel)
      stage.seen.push('ack')
      actor.channel.ack(messages[0]!)
      await stage.settled(actor.channel)
      return messages.map(({ fields }) => fields.deliveryTag)
    },
    expected: { result: [1, 2, 3], seen: ['a', 'b', 'ack', 'c'] },
  },
  {
    name: 'holds all consumers of a channel to a common prefetch',
    act: async (stage) => {
      const actor = await filled(stage, {}, 'a', 'b', 'c', 'd')
      await actor.channel.prefetch(3, true)
      await consumed(stage, actor)
      await consumed(stage, actor)
      await stage.settled(actor.channel)
      return actor.channel.checkQueue(stage.queue('q'))
    },
    expected: { result: { queue: 'q', messageCount: 1, consumerCount: 2 }, seen: ['a', 'b', 'c'] },
  },
  {
    name: 'delivers more when the common prefetch grows',
    act: async (stage) => {
      const actor = await filled(stage, {}, 'a', 'b', 'c')
      await actor.channel.prefetch(1, true)
      await consumed(stage, actor)
      await stage.settled(actor.channel)
      stage.seen.push('grows')
      await actor.channel.prefetch(2, true)
      await stage.settled(actor.channel)
      return 'two'
    },
    expected: { result: 'two', seen: ['a', 'grows', 'b'] },
  },
  {
    name: 'gives a new prefetch to consumers that come after it',
    act: async (stage) => {
      const actor = await filled(stage, {}, 'a', 'b', 'c')
      await actor.channel.prefetch(1)
      await consumed(stage, actor)
      await actor.channel.prefetch(3)
      await stage.settled(actor.channel)
      return 'one'
    },
    expected: { result: 'one', seen: ['a'] },
  },
  {
    name: 'acknowledges all up to one',
    act: async (stage) => {
      const actor = await filled(stage, {}, 'a', 'b', 'c')
      const messages = await consumed(stage, actor)
      await stage.settled(actor.channel)
      actor.channel.ack(messages[1]!, true)
      actor.channel.nackAll()
      await stage.settled(actor.channel)
      return messages.length
    },
    expected: { result: 4, seen: ['a', 'b', 'c', 'c*'] },
  },
  {
    name: 'lets consumers take turns',
    act: async (stage) => {
      const actor = await filled(stage, {})
      await consumed(stage, actor, '1')
      await consumed(stage, actor, '2')
      for (const text of ['a', 'b', 'c', 'd']) await stage.fill(actor.channel, stage.queue('q'), text)
      await stage.settled(actor.channel)
      return 'in turn'
    },
    expected: { result: 'in turn', seen: ['1a', '2b', '1c', '2d'] },
  },
  {
    name: 'puts what is refused back in its place in a classic queue',
    act: (stage) => afterRefusing(stage, {}),
    expected: ['a*', 'b*', 'c', 'd'],
  },
  {
    name: 'puts what is refused at the end of a quorum queue',
    act: (stage) => afterRefusing(stage, quorum),
    expected: ['c', 'd', 'b*', 'a*'],
  },
  {
    name: 'puts what is refused at the front of a quorum queue that limits deliveries',
    act: (stage) => afterRefusing(stage, { arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 5 } }),
    expected: ['b*', 'a*', 'c', 'd'],
  },
  {
    name: 'puts what a lost connection held back in its place in a classic queue',
    act: (stage) => afterLosing(stage, {}),
    expected: ['a*', 'b*', 'c*', 'd'],
  },
  {
    name: 'puts what a lost connection held back in its place in a quorum queue',
    act: (stage) => afterLosing(stage, quorum),
    expected: ['a*', 'b*', 'c*', 'd'],
  },
  {
    name: 'recovers everything that a channel holds',
    act: async (stage) => {
      const actor = await filled(stage, {}, 'a', 'b')
      await consumed(stage, actor)
      await stage.settled(actor.channel)
      await actor.channel.recover()
      await stage.settled(actor.channel)
      return 'again'
    },
    expected: { result: 'again', seen: ['a', 'b', 'a*', 'b*'] },
  },
  {
    name: 'counts in a quorum queue how often a message came back',
    act: async (stage) => {
      const { channel } = await filled(stage, quorum, 'a')
      const first = await channel.get(stage.queue('q'))
      if (first !== false) channel.nack(first)
      await stage.settled(channel)
      const second = await channel.get(stage.queue('q'))
      return [first, second].map((message) => message !== false && message.properties.headers)
    },
    expected: [{ 'x-delivery-count': 0 }, { 'x-delivery-count': 1 }],
  },
  {
    name: 'keeps what a cancelled consumer holds',
    act: async (stage) => {
      const actor = await filled(stage, {}, 'a', 'b')
      await actor.channel.prefetch(1)
      const messages = await consumed(stage, actor)
      await stage.settled(actor.channel)
      await actor.channel.cancel(messages[0]!.fields.consumerTag)
      actor.channel.ack(messages[0]!)
      await stage.settled(actor.channel)
      return actor.channel.checkQueue(stage.queue('q'))
    },
    expected: { result: { queue: 'q', messageCount: 1, consumerCount: 0 }, seen: ['a'] },
  },
  {
    name: 'counts a consumer that is not there as cancelled',
    act: async (stage) => (await stage.actor()).channel.cancel('nobody'),
    expected: { consumerTag: 'nobody' },
  },
  {
    name: 'acknowledges nothing when there is nothing',
    act: async (stage) => {
      const { channel } = await stage.actor()
      channel.ackAll()
      await stage.settled(channel)
      return 'still open'
    },
    expected: 'still open',
  },
  unknownTag('acknowledges', ({ channel }) => channel.ack(ninth)),
  unknownTag('acknowledges all up to', ({ channel }) => channel.ack(ninth, true)),
  unknownTag('refuses', ({ channel }) => channel.nack(ninth)),
  unknownTag('rejects', ({ channel }) => channel.reject(ninth)),
  {
    name: 'refuses to consume from a queue that is not there',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(
        actor,
        actor.channel.consume(stage.queue('q'), () => undefined),
      )
    },
    expected: "channel 404: NOT_FOUND - no queue 'q' in vhost '/'",
  },
  {
    name: 'closes the connection of who uses a consumer tag twice',
    act: async (stage) => {
      const actor = await filled(stage, {})
      await actor.channel.consume(stage.queue('q'), () => undefined, { consumerTag: 'me' })
      return refusal(
        actor,
        actor.channel.consume(stage.queue('q'), () => undefined, { consumerTag: 'me' }),
      )
    },
    expected: "connection 530: NOT_ALLOWED - attempt to reuse consumer tag 'me'",
  },
  {
    name: 'closes the connection of who wants a common prefetch from a quorum queue',
    act: async (stage) => {
      const actor = await filled(stage, quorum)
      await actor.channel.prefetch(3, true)
      return refusal(
        actor,
        actor.channel.consume(stage.queue('q'), () => undefined),
      )
    },
    expected: "connection 540: NOT_IMPLEMENTED - queue 'q' in vhost '/' does not support global qos",
  },
]
