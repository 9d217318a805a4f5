import { describe, expect, it } from 'vitest'
import { checkTopology } from '../../src/topology/check.ts'
import {
  consumeArguments,
  needsOf,
  planTopology,
  queueOptions,
  routeKeys,
  survives,
} from '../../src/topology/plan.ts'
import {
  classic,
  ephemeral,
  fanout,
  mirrored,
  quorum,
  type Topology,
  topic,
} from '../../src/topology/spec.ts'

const topology: Topology = {
  exchanges: { orders: topic(), audit: fanout({ autoDelete: true }) },
  queues: { bill: quorum(), 'ha.old': mirrored(), inbox: ephemeral() },
  bindings: [
    { exchange: 'orders', queue: 'bill', key: 'order.*' },
    { exchange: 'orders', queue: 'inbox', key: '#' },
    { exchange: 'orders', toExchange: 'audit' },
  ],
}

describe('a topology', () => {
  it('becomes steps that know what they need and whether the broker keeps them', () => {
    expect(
      planTopology(topology).map(
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
    ['a wrong part', { queue: {} }, "topology.queue: there is no such part; did you mean 'queues'?"],
    [
      'a wrong type',
      { exchanges: { a: { type: 'topik' } } },
      "topology.exchanges.a.type: expected one of direct, topic, fanout, headers; did you mean 'topic'?",
    ],
    [
      'a queue made by hand',
      { queues: { a: { durable: true } } },
      'topology.queues.a: expected quorum(), mirrored(), classic() or ephemeral()',
    ],
    [
      'a slip in a binding',
      { ...topology, bindings: [{ exchange: 'order', queue: 'bill' }] },
      "topology.bindings[0].exchange: 'order' is not declared; did you mean 'orders'?",
    ],
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
    expect(() => checkTopology(value, 'topology')).toThrow(
      expect.objectContaining({ code: 'config-invalid', message }),
    )
  })

  it('may bind to what others declare', () => {
    expect(
      checkTopology({ bindings: [{ exchange: 'amq.topic', queue: 'theirs' }] }, 'topology'),
    ).toBeDefined()
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
