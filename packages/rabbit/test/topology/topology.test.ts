import { describe, expect, it } from 'vitest'
import {
  classic,
  consumeArguments,
  ephemeral,
  exchangesWithUnreliableReturns,
  fanout,
  mirrored,
  needsOf,
  type QuorumSettings,
  queueOptions,
  quorum,
  routeKeys,
  survives,
  type Topology,
  topic,
  topologySteps,
} from '../../src/topology/topology.ts'
import { validateTopology } from '../../src/topology/validate.ts'

const topology: Topology = {
  exchanges: { orders: topic(), audit: fanout({ autoDelete: true }) },
  queues: { bill: quorum(), 'ha.old': mirrored(), inbox: ephemeral() },
  bindings: [
    { exchange: 'orders', queue: 'bill', key: 'order.*' },
    { exchange: 'orders', queue: 'inbox', key: '#' },
    { exchange: 'orders', toExchange: 'audit' },
  ],
}

const everySetting: QuorumSettings = {
  deadLetterExchange: '',
  deadLetterKey: 'dead',
  messageTtlMs: 0,
  maxMessages: 10,
  maxBytes: 1_000,
  overflow: 'reject-publish',
  singleActiveConsumer: true,
  deliveryLimit: 5,
  arguments: { 'x-queue-leader-locator': 'balanced' },
}

const madeByHand = 'topology.queues.a: expected quorum(), stream(), mirrored(), classic() or ephemeral()'

describe('a topology', () => {
  it('becomes steps that know what they need and whether the broker keeps them', () => {
    expect(
      topologySteps(topology).map(
        (step) => `${step.key} | ${needsOf(step).join(', ')} | ${survives(step, topology)}`,
      ),
    ).toEqual([
      'exchange orders |  | true',
      'exchange audit |  | false',
      'queue bill |  | true',
      'queue ha.old |  | true',
      'queue inbox |  | false',
      "binding orders -> queue bill 'order.*' | exchange orders, queue bill | true",
      "binding orders -> queue inbox '#' | exchange orders, queue inbox | false",
      "binding orders -> exchange audit '' | exchange orders, exchange audit | false",
    ])
  })

  it.each([
    [
      'an exchange of it',
      'orders',
      'k',
      [
        'exchange orders',
        "binding orders -> queue bill 'order.*'",
        "binding orders -> queue inbox '#'",
        "binding orders -> exchange audit ''",
      ],
    ],
    ['a queue of it, by the default exchange', '', 'bill', ['queue bill']],
    ['somebody else’s exchange', 'amq.topic', 'k', []],
    ['somebody else’s queue', '', 'theirs', []],
  ])('says what a message to %s waits for', (_, exchange, key, expected) => {
    expect(routeKeys(topology, exchange, key)).toEqual(expected)
  })

  it.each<[string, unknown, string]>([
    ['a wrong part', { queue: {} }, "topology.queue: there is no such option; did you mean 'queues'?"],
    [
      'a wrong type',
      { exchanges: { a: { type: 'topik' } } },
      "topology.exchanges.a.type: expected one of direct, topic, fanout, headers, or x-…; did you mean 'topic'?",
    ],
    ['a queue made by hand', { queues: { a: { durable: true } } }, madeByHand],
    ['a queue kind alone', { queues: { a: { kind: 'quorum' } } }, madeByHand],
    ['nothing for a queue', { queues: { a: null } }, madeByHand],
    [
      'nothing for an exchange',
      { exchanges: { a: null } },
      'topology.exchanges.a: expected an object, got null\n' +
        'topology.exchanges.a.type: expected one of direct, topic, fanout, headers, or x-…',
    ],
    [
      'a slip in an exchange',
      { exchanges: { a: topic({ durabel: true } as object) } },
      "topology.exchanges.a.durabel: there is no such option; did you mean 'durable'?",
    ],
    [
      'a slip in a queue',
      { queues: { a: quorum({ deliverLimit: 3 } as object) } },
      "topology.queues.a.deliverLimit: there is no such option; did you mean 'deliveryLimit'?",
    ],
    [
      'a limit that only quorum queues know',
      { queues: { a: classic({ deliveryLimit: 3 } as object) } },
      'topology.queues.a.deliveryLimit: there is no such option',
    ],
    [
      'a slip in a binding',
      { bindings: [{ exchange: 'orders', queue: 'bill', routingKey: 'order.*' }] },
      'topology.bindings[0].routingKey: there is no such option',
    ],
    [
      'several things at once',
      { exchanges: { a: { type: 'direct', durable: 'yes' } }, bindings: {} },
      "topology.exchanges.a.durable: expected true or false, got 'yes'\ntopology.bindings: expected a list",
    ],
    ['a list of queues', { queues: ['a'] }, 'topology.queues: expected an object with a name for each'],
    [
      'a binding to nothing',
      { bindings: [{ exchange: 'orders' }] },
      'topology.bindings[0]: expected either queue or toExchange',
    ],
    [
      'a binding to both',
      { bindings: [{ exchange: 'a', queue: 'b', toExchange: 'c' }] },
      'topology.bindings[0]: expected either queue or toExchange',
    ],
    ['no object', 7, 'topology: expected { exchanges, queues, bindings }'],
  ])('is rejected for %s', (_, value, message) => {
    expect(() => validateTopology(value, 'topology')).toThrow(
      expect.objectContaining({ code: 'config-invalid', message }),
    )
  })

  it.each<[string, Topology]>([
    ['may bind to what others declare', { bindings: [{ exchange: 'amq.topic', queue: 'theirs' }] }],
    [
      'may bind to what has nearly the name of ours',
      { queues: { 'billing-v2': quorum() }, bindings: [{ exchange: 'amq.topic', queue: 'billing-v1' }] },
    ],
    [
      'may have exchanges of a plugin',
      { exchanges: { later: { type: 'x-delayed-message', arguments: { 'x-delayed-type': 'direct' } } } },
    ],
    ['may have every setting', { queues: { a: quorum(everySetting) } }],
  ])('%s', (_, given) => {
    expect(validateTopology(given, 'topology')).toBe(given)
  })
})

describe('a queue', () => {
  it.each([
    [
      'quorum',
      quorum({ deliveryLimit: 5 }),
      '3.10.8',
      { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 5 } },
    ],
    ['mirrored, where mirroring is known', mirrored(), '3.13.7', { durable: true, arguments: {} }],
    [
      'mirrored, where it is gone',
      mirrored(),
      '4.0.5',
      { durable: true, arguments: { 'x-queue-type': 'quorum' } },
    ],
    [
      'classic',
      classic({ maxMessages: 9, overflow: 'reject-publish' }),
      '4.2.0',
      { durable: true, arguments: { 'x-max-length': 9, 'x-overflow': 'reject-publish' } },
    ],
    [
      'ephemeral',
      ephemeral({ messageTtlMs: 1_000 }),
      '3.10.8',
      { exclusive: true, autoDelete: true, durable: false, arguments: { 'x-message-ttl': 1_000 } },
    ],
    [
      'with a dead-letter exchange',
      classic({
        deadLetterExchange: 'dlx',
        deadLetterKey: 'k',
        maxBytes: 7,
        arguments: { 'x-max-priority': 3 },
      }),
      '3.10.8',
      {
        durable: true,
        arguments: {
          'x-dead-letter-exchange': 'dlx',
          'x-dead-letter-routing-key': 'k',
          'x-max-length-bytes': 7,
          'x-max-priority': 3,
        },
      },
    ],
  ])('is declared: %s', (_, spec, version, expected) => {
    expect(queueOptions(spec, version)).toEqual(expected)
  })

  it.each([
    [mirrored(), '3.10.8', { 'x-cancel-on-ha-failover': true }],
    [mirrored(), '4.0.5', {}],
    [quorum(), '3.10.8', {}],
    [undefined, '3.10.8', {}],
  ])('of kind %j on %s asks its consumers to say %j', (spec, version, expected) => {
    expect(consumeArguments(spec, version)).toEqual(expected)
  })
})

describe('a default of the broker that a declaration names', () => {
  it.each([
    ['classic', classic],
    ['quorum', quorum],
    ['mirrored', mirrored],
    ['ephemeral', ephemeral],
  ] as const)('is not sent for a queue of kind %s, so that it equals a queue without it', (_, kind) => {
    const named = kind({ singleActiveConsumer: false, overflow: 'drop-head' })
    for (const version of ['3.10.8', '4.3.0'])
      expect(queueOptions(named, version)).toEqual(queueOptions(kind(), version))
  })

  it('is sent when it is written as an argument, for a queue that was declared with it', () => {
    const spec = classic({ arguments: { 'x-overflow': 'drop-head' }, overflow: 'drop-head' })
    expect(queueOptions(spec, '4.3.0').arguments).toEqual({ 'x-overflow': 'drop-head' })
  })
})

describe('exchanges that return messages which they deliver', () => {
  const delayed = { type: 'x-delayed-message' } as const

  it.each<readonly [string, Topology, readonly string[]]>([
    ['a delayed exchange', { exchanges: { later: delayed, now: topic() } }, ['later']],
    [
      'an exchange that removes duplicates',
      { exchanges: { once: { type: 'x-message-deduplication' }, hash: { type: 'x-consistent-hash' } } },
      ['once'],
    ],
    [
      'what is bound to one, over several steps',
      {
        exchanges: { first: topic(), second: fanout(), later: delayed, other: topic() },
        bindings: [
          { exchange: 'first', toExchange: 'second' },
          { exchange: 'second', toExchange: 'later' },
          { exchange: 'other', queue: 'later' },
        ],
      },
      ['first', 'later', 'second'],
    ],
    [
      'what has one as its alternate exchange',
      { exchanges: { front: topic({ alternateExchange: 'later' }), later: delayed } },
      ['front', 'later'],
    ],
    ['none without a topology', {}, []],
  ])('are found: %s', (_, given, expected) => {
    expect([...exchangesWithUnreliableReturns(given)].sort()).toEqual(expected)
  })
})

describe('a classic queue', () => {
  it('can be described as other clients declare it', () => {
    const spec = classic({
      durable: false,
      autoDelete: true,
      exclusive: true,
      maxPriority: 10,
      expiresMs: 60_000,
    })
    expect(queueOptions(spec, '3.10.8')).toEqual({
      durable: false,
      autoDelete: true,
      exclusive: true,
      arguments: { 'x-max-priority': 10, 'x-expires': 60_000 },
    })
  })

  it.each([
    ['not durable', { durable: false }],
    ['deleted with its last consumer', { autoDelete: true }],
    ['exclusive', { exclusive: true }],
    ['expiring', { expiresMs: 1_000 }],
    ['expiring by its arguments', { arguments: { 'x-expires': 1_000 } }],
  ])('that can vanish by itself is never taken for proven, nor are its bindings: %s', (_, settings) => {
    const vanishing: Topology = {
      exchanges: { e: topic() },
      queues: { q: classic(settings) },
      bindings: [{ exchange: 'e', queue: 'q' }],
    }
    expect(topologySteps(vanishing).map((step) => survives(step, vanishing))).toEqual([true, false, false])
  })

  it.each([
    [{ maxPriority: 256 }, 'maxPriority'],
    [{ durable: 'yes' }, 'durable'],
    [{ expiresMs: 0 }, 'expiresMs'],
    [{ deliveryLimit: 3 }, 'deliveryLimit'],
  ])('is refused with %j by the path of the option', (settings, option) => {
    expect(() => validateTopology({ queues: { q: classic(settings as never) } }, 'topology')).toThrow(
      new RegExp(`topology\\.queues\\.q\\.${option}`),
    )
  })
})

describe('arguments that AMQP has no type for', () => {
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  it.each([
    ['a symbol', Symbol('x'), /arguments\.x: expected a value that AMQP has a type for, got a symbol/],
    ['a map', new Map(), /arguments\.x: expected a plain object/],
    ['a cycle', circular, /expected at most 32 levels, without cycles/],
  ])('are refused at the door: %s', (_, x, message) => {
    const given = { arguments: { x } }
    for (const topology of [
      { exchanges: { e: { type: 'topic', ...given } } },
      { queues: { q: quorum(given) } },
      {
        exchanges: { e: { type: 'topic' } },
        queues: { q: quorum() },
        bindings: [{ exchange: 'e', queue: 'q', ...given }],
      },
    ])
      expect(() => validateTopology(topology, 'topology')).toThrow(message)
  })
})
