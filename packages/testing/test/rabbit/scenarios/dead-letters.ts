import type { ConfirmChannel } from 'amqplib'
import type { Harness, Scenario } from './harness.ts'

interface Dead {
  readonly text: string
  readonly headers: unknown
}

// Lets one message die in a queue and says what reaches the queue for the dead.
async function died(
  stage: Harness,
  options: object,
  kill: (channel: ConfirmChannel, queue: string) => Promise<void>,
): Promise<unknown> {
  const { channel } = await stage.actor()
  const deadLetter = { deadLetterExchange: '', deadLetterRoutingKey: stage.queue('dead') }
  await channel.assertQueue(stage.queue('dead'))
  await channel.assertQueue(stage.queue('q'), { ...deadLetter, ...options })
  const found = new Promise<Dead>((resolve) => {
    void channel.consume(stage.queue('dead'), (message) => {
      if (message !== null) resolve({ text: String(message.content), headers: message.properties.headers })
    })
  })
  await kill(channel, stage.queue('q'))
  return found
}

async function refuse(channel: ConfirmChannel, queue: string): Promise<void> {
  const message = await channel.get(queue)
  if (message !== false) channel.nack(message, false, false)
}

function death(reason: string, more: object = {}): object {
  return {
    'x-death': [{ count: 1, reason, queue: 'q', time: '*', exchange: '', 'routing-keys': ['q'], ...more }],
    'x-first-death-exchange': '',
    'x-first-death-queue': 'q',
    'x-first-death-reason': reason,
  }
}

const quorum = { 'x-queue-type': 'quorum' }

/** What brokers do with messages that nobody can or will take. */
export const deadLetters: readonly Scenario[] = [
  {
    name: 'sends what is rejected to the dead, without its time to live',
    act: (stage) =>
      died(stage, {}, async (channel, queue) => {
        channel.sendToQueue(queue, Buffer.from('a'), { expiration: 60_000, headers: { k: 1 } })
        await channel.waitForConfirms()
        await refuse(channel, queue)
      }),
    expected: { text: 'a', headers: { k: 1, ...death('rejected', { 'original-expiration': '60000' }) } },
  },
  {
    name: 'sends the oldest of a full queue to the dead',
    act: (stage) => died(stage, { maxLength: 1 }, (channel, queue) => stage.fill(channel, queue, 'a', 'b')),
    expected: { text: 'a', headers: death('maxlen') },
  },
  {
    name: 'sends what has outlived its queue to the dead',
    act: (stage) => died(stage, { messageTtl: 50 }, (channel, queue) => stage.fill(channel, queue, 'a')),
    expected: { text: 'a', headers: death('expired') },
  },
  {
    name: 'sends what has outlived itself to the dead',
    act: (stage) =>
      died(stage, {}, async (channel, queue) => {
        channel.sendToQueue(queue, Buffer.from('a'), { expiration: 50 })
        await channel.waitForConfirms()
      }),
    expected: { text: 'a', headers: death('expired', { 'original-expiration': '50' }) },
  },
  {
    name: 'sends what came back too often to the dead',
    act: (stage) =>
      died(stage, { arguments: { ...quorum, 'x-delivery-limit': 1 } }, async (channel, queue) => {
        await channel.consume(queue, (message) => {
          if (message === null) return
          stage.seen.push(message.properties.headers)
          channel.nack(message)
        })
        await stage.fill(channel, queue, 'a')
      }),
    expected: {
      result: { text: 'a', headers: death('delivery_limit') },
      seen: [{}, { 'x-delivery-count': 1 }],
    },
  },
  {
    name: 'sends what a full queue refuses to the dead, if asked',
    act: (stage) =>
      died(stage, { maxLength: 1, overflow: 'reject-publish-dlx' }, (channel, queue) =>
        stage.fill(channel, queue, 'a', 'b').catch(() => undefined),
      ),
    expected: { text: 'b', headers: death('maxlen') },
  },
  {
    name: 'drops what would come back to where it died for ever',
    act: async (stage) => {
      const { channel } = await stage.actor()
      const back = { deadLetterExchange: '', deadLetterRoutingKey: stage.queue('q') }
      await channel.assertQueue(stage.queue('q'), { ...back, maxLength: 1 })
      await stage.fill(channel, stage.queue('q'), 'a', 'b')
      await stage.settled(channel)
      return stage.drain(channel, stage.queue('q'))
    },
    expected: ['b'],
  },
  {
    name: 'counts the deaths of one message in one queue',
    act: async (stage) => {
      const { channel } = await stage.actor()
      const next = (name: string): object => ({
        deadLetterExchange: '',
        deadLetterRoutingKey: stage.queue(name),
      })
      await channel.assertQueue(stage.queue('a'), next('b'))
      await channel.assertQueue(stage.queue('b'), next('a'))
      await stage.fill(channel, stage.queue('a'), 'x')
      for (const name of ['a', 'b', 'a']) {
        await refuse(channel, stage.queue(name))
        await stage.settled(channel)
      }
      const message = await channel.get(stage.queue('b'), { noAck: true })
      const deaths = message === false ? [] : (message.properties.headers?.['x-death'] ?? [])
      return deaths.map(({ queue, count }) => [queue, count])
    },
    expected: [
      ['a', 2],
      ['b', 1],
    ],
  },
]
