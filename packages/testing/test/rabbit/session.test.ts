import { FakeClock } from '@ha/core/testing'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Broker } from '../../src/rabbit/broker/broker.ts'
import { BrokerSession } from '../../src/rabbit/session/session.ts'
import { emptyTable, fieldTable } from '../../src/rabbit/wire/field-tables.ts'
import type { Frame } from '../../src/rabbit/wire/frames.ts'
import { fieldNames, type Method, type MethodName } from '../../src/rabbit/wire/methods.ts'
import { protocolHeader } from '../../src/rabbit/wire/protocol.ts'
import { frame } from './arbitraries.ts'

const settings = {
  version: '3.10.8',
  clusterName: 'fake',
  heartbeatSec: 0,
  frameMaxBytes: 131_072,
  channelMax: 4,
  maxMessageBytes: 10_000,
  consumerTimeoutMs: 1_000,
}

// What a client may say on a channel. Names, tags and values are so few that they meet.
const clientMethods: readonly MethodName[] = [
  'exchange.declare',
  'exchange.delete',
  'exchange.bind',
  'exchange.unbind',
  'queue.declare',
  'queue.delete',
  'queue.purge',
  'queue.bind',
  'queue.unbind',
  'basic.qos',
  'basic.consume',
  'basic.cancel',
  'basic.get',
  'basic.ack',
  'basic.nack',
  'basic.reject',
  'basic.recover',
  'confirm.select',
]
const name = fc.constantFrom('a', 'b', 'c')
const tables = fc.constantFrom(
  emptyTable,
  fieldTable({ 'x-message-ttl': 0, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'b' }),
  fieldTable({ 'x-max-length': 1, 'x-dead-letter-exchange': 'a' }),
  fieldTable({ 'x-queue-type': 'quorum', 'x-delivery-limit': 1 }),
  fieldTable({ 'x-match': 'any', k: 'v' }),
  fieldTable({ 'alternate-exchange': 'b' }),
)
const values: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  queue: name,
  exchange: name,
  source: name,
  destination: name,
  routingKey: name,
  consumerTag: fc.constantFrom('', 't'),
  type: fc.constantFrom('direct', 'fanout', 'topic', 'headers'),
  deliveryTag: fc.integer({ min: 1, max: 4 }),
  prefetchCount: fc.integer({ min: 0, max: 2 }),
  ticket: fc.constant(0),
  prefetchSize: fc.constant(0),
  passive: fc.constant(false),
  internal: fc.constant(false),
  nowait: fc.constant(false),
  arguments: tables,
}
const likely = fc.constantFrom(...clientMethods).chain((said) => {
  const fields = fieldNames(said).map((field) => [field, values[field] ?? fc.boolean()])
  return fc.record(Object.fromEntries(fields)).map((read) => ({ name: said, fields: read }) as Method)
})

const channel = fc.integer({ min: 1, max: 3 })
const said: fc.Arbitrary<readonly Frame[]> = fc.oneof(
  { weight: 60, arbitrary: fc.tuple(channel, likely).map(([on, any]) => [onChannel(on, any)]) },
  {
    weight: 30,
    arbitrary: fc.tuple(channel, fc.constantFrom('', 'a', 'b'), name).map((words) => publish(...words)),
  },
  { weight: 1, arbitrary: frame.map((any) => [any]) },
)

it('whatever a client says, a session answers or refuses and never falls over, and leaves no timer when it is over', () => {
  fc.assert(
    fc.property(fc.array(said, { maxLength: 80, size: 'max' }), (words) => {
      const left = [...words]
      const clock = new FakeClock()
      const broker = new Broker(new Map([['guest', { password: 'guest' }]]), ['/'], clock)
      const answers: MethodName[] = []
      const session: BrokerSession = new BrokerSession({
        clock,
        broker,
        settings,
        transport: {
          ...deaf,
          send: (sent) => {
            if (sent.kind === 'method') answers.push(sent.method.name)
            if (sent.kind === 'method' && sent.method.name === 'channel.close')
              left.unshift(reopening(sent.channel))
          },
        },
      })
      for (const greeting of greetings) session.accept(greeting, undefined)
      expect(answers).toEqual(['connection.start', 'connection.tune', 'connection.open-ok'])
      for (const on of [1, 2, 3]) session.accept(opening(on), undefined)
      for (let word = left.shift(); word !== undefined; word = left.shift()) {
        for (const each of word) session.accept(each, undefined)
      }
      session.connectionLost()
      broker.close()
      expect(clock.pending).toBe(0)
    }),
    { numRuns: 1_000 },
  )
})

const greetings: readonly Frame[] = [
  { kind: 'protocol-header', channel: 0, bytes: protocolHeader },
  onChannel(0, {
    name: 'connection.start-ok',
    fields: { clientProperties: emptyTable, mechanism: 'PLAIN', response: '\0guest\0guest', locale: 'en_US' },
  }),
  onChannel(0, { name: 'connection.tune-ok', fields: { channelMax: 4, frameMax: 131_072, heartbeat: 0 } }),
  onChannel(0, { name: 'connection.open', fields: { virtualHost: '/', capabilities: '', insist: false } }),
]

// Everything that a session needs and this test does not look at.
const deaf = {
  allow: () => undefined,
  sentBytes: () => 0,
  receivedBytes: () => 0,
  pauseReading: () => undefined,
  resumeReading: () => undefined,
  end: () => undefined,
  reset: () => undefined,
}

function opening(on: number): Frame {
  return onChannel(on, { name: 'channel.open', fields: { outOfBand: '' } })
}

// A client whose channel is refused says that it knows, and opens it again.
function reopening(on: number): readonly Frame[] {
  return [onChannel(on, { name: 'channel.close-ok', fields: {} }), opening(on)]
}

function onChannel(on: number, any: Method): Frame {
  return { kind: 'method', channel: on, method: any }
}

function publish(on: number, exchange: string, routingKey: string): readonly Frame[] {
  const fields = { ticket: 0, exchange, routingKey, mandatory: true, immediate: false }
  const bytes = Buffer.from('x')
  return [
    onChannel(on, { name: 'basic.publish', fields }),
    {
      kind: 'content-header',
      channel: on,
      classId: 60,
      bodyBytes: bytes.length,
      properties: Buffer.alloc(2),
    },
    { kind: 'content-body', channel: on, bytes },
  ]
}
