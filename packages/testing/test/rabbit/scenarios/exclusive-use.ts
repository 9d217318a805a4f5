import { type Harness, refusal, type Scenario, type TestClient } from './harness.ts'

const locked =
  "channel 405: RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be " +
  'originally declared on another connection or the exclusive property value does not match that of the original declaration.'

// One connection owns a queue, another one wants something of it.
function notOwner(what: string, act: (actor: TestClient, queue: string) => Promise<unknown>): Scenario {
  return {
    name: `refuses to ${what} a queue that another connection owns`,
    act: async (stage) => {
      const [owner, other] = [await stage.actor(), await stage.actor()]
      await owner.channel.assertQueue(stage.queue('q'), { exclusive: true })
      return refusal(other, act(other, stage.queue('q')))
    },
    expected: locked,
  }
}

async function secondConsumer(stage: Harness, first: object, second: object): Promise<string> {
  const [one, two] = [await stage.actor(), await stage.actor()]
  await one.channel.assertQueue(stage.queue('q'))
  await one.channel.consume(stage.queue('q'), () => undefined, first)
  return refusal(
    two,
    two.channel.consume(stage.queue('q'), () => undefined, second),
  )
}

const inUse = "channel 403: ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"

/** What brokers say to those who want what another one has. */
export const exclusiveUse: readonly Scenario[] = [
  notOwner('declare', ({ channel }, queue) => channel.assertQueue(queue, { exclusive: true })),
  notOwner('look for', ({ channel }, queue) => channel.checkQueue(queue)),
  notOwner('consume from', ({ channel }, queue) => channel.consume(queue, () => undefined)),
  notOwner('get from', ({ channel }, queue) => channel.get(queue)),
  notOwner('bind', ({ channel }, queue) => channel.bindQueue(queue, 'amq.direct', 'k')),
  notOwner('purge', ({ channel }, queue) => channel.purgeQueue(queue)),
  notOwner('delete', ({ channel }, queue) => channel.deleteQueue(queue)),
  {
    name: 'lets the owner declare its queue again',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertQueue(stage.queue('q'), { exclusive: true })
      return channel.assertQueue(stage.queue('q'), { exclusive: true })
    },
    expected: { queue: 'q', messageCount: 0, consumerCount: 0 },
  },
  {
    name: 'deletes what a connection owned with the connection',
    act: async (stage) => {
      const [owner, other] = [await stage.actor(), await stage.actor()]
      await owner.channel.assertQueue(stage.queue('q'), { exclusive: true })
      await owner.model.close()
      await stage.settled(other.channel)
      return refusal(other, other.channel.checkQueue(stage.queue('q')))
    },
    expected: "channel 404: NOT_FOUND - no queue 'q' in vhost '/'",
  },
  {
    name: 'refuses a second consumer beside an exclusive one',
    act: (stage) => secondConsumer(stage, { exclusive: true }, {}),
    expected: inUse,
  },
  {
    name: 'refuses an exclusive consumer beside another one',
    act: (stage) => secondConsumer(stage, {}, { exclusive: true }),
    expected: inUse,
  },
  {
    name: 'accepts a consumer when the exclusive one is gone',
    act: async (stage) => {
      const { model, channel } = await stage.actor()
      const other = await model.createChannel()
      await channel.assertQueue(stage.queue('q'))
      await other.consume(stage.queue('q'), () => undefined, { exclusive: true })
      await other.close()
      return channel.consume(stage.queue('q'), () => undefined)
    },
    expected: { consumerTag: 'amq.ctag-*' },
  },
]
