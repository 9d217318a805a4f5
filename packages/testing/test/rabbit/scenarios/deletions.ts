import { refusal, type Scenario } from './harness.ts'

/** What brokers say about deleting and purging. */
export const deletions: readonly Scenario[] = [
  {
    name: 'counts a queue that is not there as deleted',
    act: async (stage) => (await stage.actor()).channel.deleteQueue(stage.queue('q')),
    expected: { messageCount: 0 },
  },
  {
    name: 'counts an exchange that is not there as deleted',
    act: async (stage) => (await stage.actor()).channel.deleteExchange(stage.exchange('e')),
    expected: {},
  },
  {
    name: 'deletes a queue and says how many messages nobody held',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertQueue(stage.queue('q'))
      await stage.fill(channel, stage.queue('q'), 'a', 'b', 'c')
      await channel.get(stage.queue('q'))
      return channel.deleteQueue(stage.queue('q'))
    },
    expected: { messageCount: 2 },
  },
  {
    name: 'purges what nobody holds',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertQueue(stage.queue('q'))
      await stage.fill(channel, stage.queue('q'), 'a', 'b', 'c')
      await channel.get(stage.queue('q'))
      return channel.purgeQueue(stage.queue('q'))
    },
    expected: { messageCount: 2 },
  },
  {
    name: 'refuses to purge a queue that is not there',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.purgeQueue(stage.queue('q')))
    },
    expected: "channel 404: NOT_FOUND - no queue 'q' in vhost '/'",
  },
  {
    name: 'refuses to delete a queue in use, if asked',
    act: async (stage) => {
      const actor = await stage.actor()
      await actor.channel.assertQueue(stage.queue('q'))
      await actor.channel.consume(stage.queue('q'), () => undefined)
      return refusal(actor, actor.channel.deleteQueue(stage.queue('q'), { ifUnused: true }))
    },
    expected: "channel 406: PRECONDITION_FAILED - queue 'q' in vhost '/' in use",
  },
  {
    name: 'refuses to delete a queue with messages, if asked',
    act: async (stage) => {
      const actor = await stage.actor()
      await actor.channel.assertQueue(stage.queue('q'))
      await stage.fill(actor.channel, stage.queue('q'), 'a')
      return refusal(actor, actor.channel.deleteQueue(stage.queue('q'), { ifEmpty: true }))
    },
    expected: "channel 406: PRECONDITION_FAILED - queue 'q' in vhost '/' not empty",
  },
  {
    name: 'refuses to delete an exchange with bindings, if asked',
    act: async (stage) => {
      const actor = await stage.actor()
      await actor.channel.assertExchange(stage.exchange('e'), 'direct')
      await actor.channel.assertQueue(stage.queue('q'))
      await actor.channel.bindQueue(stage.queue('q'), stage.exchange('e'), 'k')
      return refusal(actor, actor.channel.deleteExchange(stage.exchange('e'), { ifUnused: true }))
    },
    expected: "channel 406: PRECONDITION_FAILED - exchange 'e' in vhost '/' in use",
  },
  {
    name: 'refuses to delete an exchange that every vhost has',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.deleteExchange('amq.direct'))
    },
    expected:
      "channel 403: ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed",
  },
  {
    name: 'deletes an auto-delete queue with its last consumer',
    act: async (stage) => {
      const actor = await stage.actor()
      await actor.channel.assertQueue(stage.queue('q'), { autoDelete: true })
      const { consumerTag } = await actor.channel.consume(stage.queue('q'), () => undefined)
      await actor.channel.cancel(consumerTag)
      return refusal(actor, actor.channel.checkQueue(stage.queue('q')))
    },
    expected: "channel 404: NOT_FOUND - no queue 'q' in vhost '/'",
  },
  {
    name: 'deletes an auto-delete exchange with its last binding',
    act: async (stage) => {
      const actor = await stage.actor()
      await actor.channel.assertExchange(stage.exchange('e'), 'direct', { autoDelete: true })
      await actor.channel.assertQueue(stage.queue('q'))
      await actor.channel.bindQueue(stage.queue('q'), stage.exchange('e'), 'k')
      await actor.channel.deleteQueue(stage.queue('q'))
      return refusal(actor, actor.channel.checkExchange(stage.exchange('e')))
    },
    expected: "channel 404: NOT_FOUND - no exchange 'e' in vhost '/'",
  },
  {
    name: 'cancels the consumers of a queue that is deleted',
    act: async (stage) => {
      const [first, second] = [await stage.actor(), await stage.actor()]
      await first.channel.assertQueue(stage.queue('q'))
      const told = new Promise((resolve) => {
        void first.channel.consume(stage.queue('q'), resolve)
      })
      await stage.settled(first.channel)
      await second.channel.deleteQueue(stage.queue('q'))
      return told
    },
    expected: null,
  },
]
