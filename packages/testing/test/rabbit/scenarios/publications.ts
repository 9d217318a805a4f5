import type { Options } from 'amqplib'
import { type Harness, refusal, type Scenario } from './harness.ts'

// Publishes one message and says what came back, in order.
async function answers(
  stage: Harness,
  exchange: string,
  key: string,
  options: Options.Publish,
): Promise<readonly string[]> {
  const { channel } = await stage.actor()
  const order: string[] = []
  channel.on('return', (returned) => {
    const { replyCode, replyText } = Object(returned.fields)
    order.push(`${replyCode} ${replyText} ${returned.content}`)
  })
  await new Promise<void>((resolve) => {
    channel.publish(exchange, key, Buffer.from('x'), options, (error) => {
      order.push(error === null ? 'ack' : 'nack')
      resolve()
    })
  })
  return order
}

async function refusedPublish(
  stage: Harness,
  exchange: string,
  options: Options.Publish = {},
): Promise<string> {
  const actor = await stage.actor()
  actor.channel.publish(exchange, 'k', Buffer.from('x'), options)
  return actor.refused
}

/** What brokers answer to messages. */
export const publications: readonly Scenario[] = [
  {
    name: 'confirms a message that reaches no queue',
    act: (stage) => answers(stage, '', 'nobody', {}),
    expected: ['ack'],
  },
  {
    name: 'returns a mandatory message that reaches no queue, and then confirms it',
    act: (stage) => answers(stage, '', 'nobody', { mandatory: true }),
    expected: ['312 NO_ROUTE x', 'ack'],
  },
  {
    name: 'passes on all properties as they came',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertQueue(stage.queue('q'))
      const options = {
        contentType: 'a',
        contentEncoding: 'b',
        headers: {
          text: 'ü',
          int: 5,
          big: 2 ** 40,
          double: 1.5,
          yes: true,
          none: null,
          list: [1, 'x'],
          table: { a: 1 },
        },
        persistent: true,
        priority: 3,
        correlationId: 'c',
        replyTo: 'd',
        messageId: 'e',
        timestamp: 12345,
        type: 'f',
        userId: 'guest',
        appId: 'g',
      }
      channel.sendToQueue(stage.queue('q'), Buffer.from('x'), options)
      await channel.waitForConfirms()
      const got = await channel.get(stage.queue('q'), { noAck: true })
      return got !== false && got.properties
    },
    expected: {
      contentType: 'a',
      contentEncoding: 'b',
      headers: {
        text: 'ü',
        int: 5,
        big: 2 ** 40,
        double: 1.5,
        yes: true,
        none: null,
        list: [1, 'x'],
        table: { a: 1 },
      },
      deliveryMode: 2,
      priority: 3,
      correlationId: 'c',
      replyTo: 'd',
      messageId: 'e',
      timestamp: 12345,
      type: 'f',
      userId: 'guest',
      appId: 'g',
    },
  },
  {
    name: 'carries an empty body, and one of many frames',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertQueue(stage.queue('q'))
      const large = Buffer.alloc(300_000, 'abc')
      channel.sendToQueue(stage.queue('q'), Buffer.alloc(0))
      channel.sendToQueue(stage.queue('q'), large)
      await channel.waitForConfirms()
      const first = await channel.get(stage.queue('q'), { noAck: true })
      const second = await channel.get(stage.queue('q'), { noAck: true })
      return [first !== false && first.content.length, second !== false && second.content.equals(large)]
    },
    expected: [0, true],
  },
  {
    name: 'closes the channel of who publishes to an exchange that is not there',
    act: (stage) => refusedPublish(stage, stage.exchange('e')),
    expected: "channel 404: NOT_FOUND - no exchange 'e' in vhost '/'",
  },
  {
    name: 'closes the channel of who publishes to an internal exchange',
    act: async (stage) => {
      await (await stage.actor()).channel.assertExchange(stage.exchange('e'), 'direct', { internal: true })
      return refusedPublish(stage, stage.exchange('e'))
    },
    expected: "channel 403: ACCESS_REFUSED - cannot publish to internal exchange 'e' in vhost '/'",
  },
  {
    name: 'closes the channel of who says to be somebody else',
    act: (stage) => refusedPublish(stage, '', { userId: 'bob' }),
    expected:
      "channel 406: PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was 'guest'",
  },
  {
    name: 'closes the channel of who gives a time that is none',
    act: (stage) => refusedPublish(stage, '', { expiration: 'bob' }),
    expected: "channel 406: PRECONDITION_FAILED - invalid expiration 'bob': no_integer",
  },
  {
    name: 'nacks what a full queue refuses',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertQueue(stage.queue('q'), { maxLength: 1, overflow: 'reject-publish' })
      await stage.fill(channel, stage.queue('q'), 'a')
      await stage.settled(channel)
      return answers(stage, '', stage.queue('q'), {})
    },
    expected: ['nack'],
  },
  {
    name: 'drops the oldest of a full queue',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertQueue(stage.queue('q'), { maxLength: 2 })
      await stage.fill(channel, stage.queue('q'), 'a', 'b', 'c')
      return stage.drain(channel, stage.queue('q'))
    },
    expected: ['b', 'c'],
  },
  {
    name: 'puts what it refuses on its channel, and leaves the others alone',
    act: async (stage) => {
      const actor = await stage.actor()
      const other = await actor.model.createChannel()
      actor.channel.publish(stage.exchange('none'), 'k', Buffer.from('x'))
      await actor.refused
      return other.checkExchange('amq.direct')
    },
    expected: {},
  },
  {
    name: 'gets nothing from an empty queue',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertQueue(stage.queue('q'))
      return channel.get(stage.queue('q'))
    },
    expected: false,
  },
  {
    name: 'refuses to get from a queue that is not there',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.get(stage.queue('q')))
    },
    expected: "channel 404: NOT_FOUND - no queue 'q' in vhost '/'",
  },
]
