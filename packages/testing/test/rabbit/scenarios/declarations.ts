import { type Harness, refusal, type Scenario } from './harness.ts'

type Arguments = Readonly<Record<string, unknown>>

/** A scenario in which declaring a queue with these arguments is refused. */
function refusedQueue(what: string, args: Arguments, text: string, options: object = {}): Scenario {
  return {
    name: `refuses a queue with ${what}`,
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.assertQueue(stage.queue('q'), { ...options, arguments: args }))
    },
    expected: `channel 406: PRECONDITION_FAILED - ${text}`,
  }
}

/** A scenario in which a queue is declared twice, differently. */
function redeclared(what: string, first: object, second: object, expected: unknown): Scenario {
  return {
    name: `declares a queue again with ${what}`,
    act: async (stage) => {
      const actor = await stage.actor()
      await actor.channel.assertQueue(stage.queue('q'), first)
      const again = actor.channel.assertQueue(stage.queue('q'), second)
      return Promise.race([again.then(() => 'same'), refusal(actor, again)])
    },
    expected,
  }
}

function inequivalent(name: string, text: string): string {
  return `channel 406: PRECONDITION_FAILED - inequivalent arg '${name}' for queue 'q' in vhost '/': ${text}`
}

async function exchangeAgain(stage: Harness, type: string, options: object): Promise<string> {
  const actor = await stage.actor()
  await actor.channel.assertExchange(stage.exchange('e'), 'direct')
  return refusal(actor, actor.channel.assertExchange(stage.exchange('e'), type, options))
}

const quorum = { 'x-queue-type': 'quorum' }
const ofQuorum = "for queue 'q' in vhost '/' of queue type rabbit_quorum_queue"

/** What brokers say about declarations of queues and exchanges. */
export const declarations: readonly Scenario[] = [
  {
    name: 'declares a queue and counts its messages and consumers',
    act: async (stage) => {
      const { channel } = await stage.actor()
      await channel.assertQueue(stage.queue('q'))
      await stage.fill(channel, stage.queue('q'), 'a', 'b')
      await channel.prefetch(1)
      await channel.consume(stage.queue('q'), () => undefined)
      await stage.settled(channel)
      return channel.checkQueue(stage.queue('q'))
    },
    expected: { queue: 'q', messageCount: 1, consumerCount: 1 },
  },
  {
    name: 'gives a queue without a name one of its own',
    act: async (stage) => {
      const { channel } = await stage.actor()
      return channel.assertQueue('', { exclusive: true })
    },
    expected: { queue: 'amq.gen-*', messageCount: 0, consumerCount: 0 },
  },
  {
    name: 'takes an empty name for the queue that was declared last',
    act: async (stage) => {
      const { channel } = await stage.actor()
      const { queue } = await channel.assertQueue('', { exclusive: true })
      await channel.bindQueue('', 'amq.direct', queue)
      channel.publish('amq.direct', queue, Buffer.from('a'))
      await channel.waitForConfirms()
      return stage.drain(channel, '')
    },
    expected: ['a'],
  },
  {
    name: 'refuses an empty name when no queue was declared',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.bindQueue('', 'amq.direct', 'k'))
    },
    expected: 'channel 404: NOT_FOUND - no previously declared queue',
  },
  {
    name: 'shortens what is too long to be said',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.checkQueue('x'.repeat(250)))
    },
    expected: `channel 404: NOT_FOUND - no queue '${'x'.repeat(230)}...`,
  },
  {
    name: 'looks for a queue that is not there',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.checkQueue(stage.queue('q')))
    },
    expected: "channel 404: NOT_FOUND - no queue 'q' in vhost '/'",
  },
  {
    name: 'looks for an exchange that is not there',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.checkExchange(stage.exchange('e')))
    },
    expected: "channel 404: NOT_FOUND - no exchange 'e' in vhost '/'",
  },
  redeclared('nothing changed', {}, {}, 'same'),
  redeclared('an argument that nobody knows', {}, { arguments: { 'x-foo': 1 } }, 'same'),
  redeclared('the type that it has anyway', {}, { arguments: { 'x-queue-type': 'classic' } }, 'same'),
  redeclared(
    'the same number in more bytes',
    { messageTtl: 1000 },
    { messageTtl: { '!': 'long', value: 1000 } },
    'same',
  ),
  redeclared(
    'durable changed',
    {},
    { durable: false },
    inequivalent('durable', "received 'false' but current is 'true'"),
  ),
  redeclared(
    'auto-delete changed',
    {},
    { autoDelete: true },
    inequivalent('auto_delete', "received 'true' but current is 'false'"),
  ),
  redeclared(
    'exclusive changed',
    {},
    { exclusive: true },
    "channel 405: RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be " +
      'originally declared on another connection or the exclusive property value does not match that of the original declaration.',
  ),
  redeclared(
    'an argument added',
    {},
    { maxLength: 1000 },
    inequivalent('x-max-length', "received the value '1000' of type 'short' but current is none"),
  ),
  redeclared(
    'an argument left out',
    { deadLetterExchange: 'foo' },
    {},
    inequivalent('x-dead-letter-exchange', "received none but current is the value 'foo' of type 'longstr'"),
  ),
  redeclared(
    'another value',
    { messageTtl: 1000 },
    { messageTtl: 200_000 },
    inequivalent('x-message-ttl', "received '200000' but current is '1000'"),
  ),
  redeclared(
    'the same digits as text',
    { messageTtl: 1000 },
    { messageTtl: '1000' },
    inequivalent('x-message-ttl', "received '1000' but current is '1000'"),
  ),
  redeclared(
    'another type',
    { arguments: quorum },
    { arguments: { 'x-queue-type': 'classic' } },
    inequivalent('x-queue-type', "received 'classic' but current is 'quorum'"),
  ),
  redeclared(
    'its type left out',
    { arguments: quorum },
    {},
    inequivalent('x-queue-type', "received none but current is the value 'quorum' of type 'longstr'"),
  ),
  refusedQueue(
    'an unknown type',
    { 'x-queue-type': 'bogus' },
    "invalid arg 'x-queue-type' for queue 'q' in vhost '/': \"unsupported queue type 'bogus'\"",
  ),
  refusedQueue(
    'a type that is no text',
    { 'x-queue-type': 3 },
    "invalid arg 'x-queue-type' for queue 'q' in vhost '/': {unacceptable_type,byte}",
  ),
  refusedQueue(
    'a negative time',
    { 'x-message-ttl': -1 },
    "invalid arg 'x-message-ttl' for queue 'q' in vhost '/': {value_negative,-1}",
  ),
  refusedQueue(
    'a time that is text',
    { 'x-message-ttl': 'abc' },
    "invalid arg 'x-message-ttl' for queue 'q' in vhost '/': \"expected integer, got longstr\"",
  ),
  refusedQueue(
    'no time to live',
    { 'x-expires': 0 },
    "invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}",
  ),
  refusedQueue(
    'too many priorities',
    { 'x-max-priority': 300 },
    "invalid arg 'x-max-priority' for queue 'q' in vhost '/': {max_value_exceeded,300}",
  ),
  refusedQueue(
    'an unknown overflow',
    { 'x-overflow': 'a' },
    "invalid arg 'x-overflow' for queue 'q' in vhost '/': invalid_overflow",
  ),
  refusedQueue(
    'an unknown mode',
    { 'x-queue-mode': 'a' },
    "invalid arg 'x-queue-mode' for queue 'q' in vhost '/': \"unsupported queue mode 'a'\"",
  ),
  refusedQueue(
    'a dead-letter key only',
    { 'x-dead-letter-routing-key': 'a' },
    "invalid arg 'x-dead-letter-routing-key' for queue 'q' in vhost '/': routing_key_but_no_dlx_defined",
  ),
  refusedQueue(
    'a dead-letter exchange that is a number',
    { 'x-dead-letter-exchange': 3 },
    "invalid type 'byte' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'",
  ),
  refusedQueue(
    'a limit that only quorum queues have',
    { 'x-delivery-limit': 3 },
    "invalid arg 'x-delivery-limit' for queue 'q' in vhost '/' of queue type rabbit_classic_queue",
  ),
  refusedQueue(
    'priorities in a quorum queue',
    { ...quorum, 'x-max-priority': 3 },
    `invalid arg 'x-max-priority' ${ofQuorum}`,
  ),
  refusedQueue(
    'quorum and exclusive',
    quorum,
    "invalid property 'exclusive-owner' for queue 'q' in vhost '/'",
    { exclusive: true },
  ),
  refusedQueue(
    'quorum and not durable',
    quorum,
    "invalid property 'non-durable' for queue 'q' in vhost '/'",
    { durable: false },
  ),
  refusedQueue(
    'quorum and auto-delete',
    quorum,
    "invalid property 'auto-delete' for queue 'q' in vhost '/'",
    { autoDelete: true },
  ),
  {
    name: 'refuses a quorum queue without a name',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.assertQueue('', { arguments: quorum }))
    },
    expected:
      'channel 406: PRECONDITION_FAILED - Cannot declare a server-named queue for type rabbit_quorum_queue',
  },
  {
    name: 'refuses a queue with a name that only the broker gives',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.assertQueue('amq.foo'))
    },
    expected: "channel 403: ACCESS_REFUSED - queue name 'amq.foo' contains reserved prefix 'amq.*'",
  },
  {
    name: 'refuses an exchange with a name that only the broker gives',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.assertExchange('amq.foo', 'direct'))
    },
    expected: "channel 403: ACCESS_REFUSED - exchange name 'amq.foo' contains reserved prefix 'amq.*'",
  },
  {
    name: 'refuses to declare the default exchange',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.assertExchange('', 'direct'))
    },
    expected: 'channel 403: ACCESS_REFUSED - operation not permitted on the default exchange',
  },
  {
    name: 'closes the connection of who wants an unknown kind of exchange',
    act: async (stage) => {
      const actor = await stage.actor()
      return refusal(actor, actor.channel.assertExchange(stage.exchange('e'), 'bogus'))
    },
    expected: "connection 503: COMMAND_INVALID - unknown exchange type 'bogus'",
  },
  {
    name: 'declares an exchange again with another type',
    act: (stage) => exchangeAgain(stage, 'topic', {}),
    expected:
      "channel 406: PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'e' in vhost '/': received 'topic' but current is 'direct'",
  },
  {
    name: 'declares an exchange again as internal',
    act: (stage) => exchangeAgain(stage, 'direct', { internal: true }),
    expected:
      "channel 406: PRECONDITION_FAILED - inequivalent arg 'internal' for exchange 'e' in vhost '/': received 'true' but current is 'false'",
  },
  {
    name: 'declares an exchange again with an alternate',
    act: (stage) => exchangeAgain(stage, 'direct', { alternateExchange: 'x' }),
    expected:
      "channel 406: PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'e' in vhost '/': " +
      "received the value 'x' of type 'longstr' but current is none",
  },
]
