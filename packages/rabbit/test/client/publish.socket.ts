import { pause, until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { bytes, fanout, quorum, topic } from '../../src/index.ts'
import { settlement } from '../settlement.ts'
import { startHarness } from './harness.ts'

const topology = {
  exchanges: { orders: topic() },
  queues: { bill: quorum() },
  bindings: [{ exchange: 'orders', queue: 'bill', key: '#' }],
}

describe('a publish', () => {
  it('resolves with the broker’s confirm', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    const receipt = await rabbit.publisher({ exchange: 'orders' }).publish({ total: 7 }, { key: 'order.new' })
    expect(receipt).toMatchObject({ attempts: 1, maybeDuplicate: false, endpoint: cluster.node(1).address })
    expect(cluster.queue('bill')?.ready).toBe(1)
  })

  it('waits for the exchange and its bindings the first time, so that nothing is unroutable', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    cluster.script({ when: { from: 'client', frame: 'queue.bind' }, do: 'delay', delayMs: 300 })
    expect(await settlement(rabbit.publisher({ exchange: 'orders' }).publish({}))).toBe('confirmed')
  })

  it('is accepted before there is a connection, and sent when there is one', async () => {
    const { rabbit, cluster } = await startHarness()
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    const publisher = rabbit.publisher({ key: 'amq.nothing' })
    const outcome = publisher.publish({}, { mandatory: false })
    await pause(200)
    expect(publisher.pending).toBe(1)
    await cluster.node(2).start()
    expect(await outcome).toMatchObject({ attempts: 1, endpoint: cluster.node(2).address })
  })

  it('that no queue wants is unroutable, unless that is fine', async () => {
    const { rabbit } = await startHarness()
    const publisher = rabbit.publisher()
    const mandatory = settlement(publisher.publish({}, { key: 'nowhere' }))
    const optional = settlement(publisher.publish({}, { key: 'nowhere', mandatory: false }))
    expect(await Promise.all([mandatory, optional])).toEqual(['unroutable not-done', 'confirmed'])
  })

  it.each([
    ['out of order', 'reversed'],
    ['many at once', 'multiple'],
  ] as const)('is settled when confirms come %s', async (_, as) => {
    const { rabbit, cluster } = await startHarness({ topology })
    cluster.script({ when: { from: 'client', frame: 'basic.publish' }, do: 'batch-confirms', size: 10, as })
    const publisher = rabbit.publisher({ key: 'bill' })
    const outcomes = Array.from({ length: 30 }, (_, i) => settlement(publisher.publish({ i })))
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['confirmed']))
  })

  it('whose body cannot be encoded is rejected, and hurts nobody else', async () => {
    const { rabbit } = await startHarness({ topology })
    const publisher = rabbit.publisher({ key: 'bill' })
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    const outcomes = [
      publisher.publish({}),
      publisher.publish(circular),
      publisher.publish({}, { headers: { bad: Symbol('x') } }),
      publisher.publish({}),
    ]
    expect(await Promise.all(outcomes.map(settlement))).toEqual([
      'confirmed',
      'config-invalid not-done',
      'config-invalid not-done',
      'confirmed',
    ])
  })

  it.each([
    ['the driver', 200_000],
    ['a frame of the broker', 9_000],
  ])('whose headers do not fit into %s is refused at once, and hurts no other message', async (_, size) => {
    const { rabbit, cluster } = await startHarness({ topology }, { frameMaxBytes: 8_192 })
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'bill' })
    const large = { headers: { trace: 'x'.repeat(size) } }
    const outcomes = [publisher.publish(1), publisher.publish(2, large), publisher.publish(3)]
    expect(await Promise.all(outcomes.map(settlement))).toEqual([
      'confirmed',
      'too-large not-done',
      'confirmed',
    ])
    expect(cluster.queue('bill')?.ready).toBe(2)
    expect(cluster.log.entries({ from: 'server', frame: 'connection.close' })).toEqual([])
  })

  it('whose headers fill a frame to the last byte is sent', async () => {
    const { rabbit, cluster } = await startHarness({ topology }, { frameMaxBytes: 8_192 })
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'bill' })
    const outcomeOf = (size: number): Promise<string> =>
      settlement(publisher.publish('', { messageId: 'm', headers: { h: 'x'.repeat(size) } }))
    const sizes = Array.from({ length: 60 }, (_, i) => 8_100 + i)
    const outcomes = await Promise.all(sizes.map(outcomeOf))
    const fitting = outcomes.filter((outcome) => outcome === 'confirmed').length
    expect(fitting).toBeGreaterThan(0)
    expect(outcomes.slice(fitting).every((outcome) => outcome === 'too-large not-done')).toBe(true)
    expect(cluster.queue('bill')?.ready).toBe(fitting)
  })

  it.each([
    { expirationMs: 1.5 },
    { expirationMs: -1 },
    { expirationMs: Number.NaN },
    { priority: 256 },
    { timestamp: 0.5 },
    { headers: { when: new Map() } },
  ])('with %j is refused at the door, and sends nothing', async (options) => {
    const { rabbit, cluster } = await startHarness({ topology })
    await rabbit.ready()
    const outcome = await settlement(rabbit.publisher({ key: 'bill' }).publish(1, options))
    expect(outcome).toBe('config-invalid not-done')
    expect(cluster.log.entries({ from: 'client', frame: 'basic.publish' })).toEqual([])
  })

  it('carries a Date, a bigint, bytes and nested values to its consumer', async () => {
    const { rabbit } = await startHarness({ topology })
    const seen: unknown[] = []
    rabbit.consume('bill', ({ headers }) => void seen.push(headers))
    const at = new Date('2026-01-02T03:04:05Z')
    const headers = { at, big: 2n ** 40n, bytes: new Uint8Array([1]), list: [1, { at }], none: undefined }
    await rabbit.publisher({ key: 'bill' }).publish(1, { headers })
    await until('it is handled', () => seen.length === 1)
    expect(seen).toEqual([{ at, big: 2 ** 40, bytes: Buffer.from([1]), list: [1, { at }] }])
  })

  it('that one full queue of a fanout nacks is not stored again and again in the other queue', async () => {
    const { rabbit, cluster } = await startHarness({
      topology: {
        exchanges: { all: fanout() },
        queues: { full: quorum({ maxMessages: 1, overflow: 'reject-publish' }), well: quorum() },
        bindings: [
          { exchange: 'all', queue: 'full' },
          { exchange: 'all', queue: 'well' },
        ],
      },
    })
    await rabbit.ready()
    const publisher = rabbit.publisher({ exchange: 'all' })
    await publisher.publish('fills it')
    expect(await settlement(publisher.publish(1, { timeoutMs: 1_400 }))).toBe('timed-out unknown')
    expect(cluster.queue('well')?.ready).toBeLessThanOrEqual(3)
  })

  it('ends with its signal, and says whether it was sent', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    cluster.script({ when: { from: 'client', frame: 'basic.publish' }, do: 'lose-confirm' })
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'bill', maxInFlight: 1 })
    const controller = new AbortController()
    const sent = settlement(publisher.publish({}, { signal: controller.signal }))
    const waiting = settlement(publisher.publish({}, { signal: controller.signal }))
    await until('it is sent', () => cluster.queue('bill')?.ready === 1)
    controller.abort()
    expect([await sent, await waiting]).toEqual(['aborted unknown', 'aborted not-done'])
    expect(await settlement(publisher.publish({}, { signal: controller.signal }))).toBe('aborted not-done')
  })

  it('settles by its deadline, and says whether it was sent', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    cluster.script({ when: { from: 'client', frame: 'basic.publish' }, do: 'lose-confirm' })
    await rabbit.ready()
    const publisher = rabbit.publisher({ key: 'bill', maxInFlight: 1 })
    const outcomes = [publisher.publish({}, { timeoutMs: 300 }), publisher.publish({}, { timeoutMs: 300 })]
    expect(await Promise.all(outcomes.map(settlement))).toEqual(['timed-out unknown', 'timed-out not-done'])
    expect(rabbit.health().outbox).toMatchObject({ messages: 0, bytes: 0 })
  })
})

describe('one bad publish among two thousand', () => {
  it.each<[string, Parameters<typeof badAmongMany>[0], string]>([
    ['to a missing exchange', { exchange: 'nope' }, 'exchange-missing not-done'],
    ['to a forbidden exchange', { exchange: 'secret' }, 'access-refused not-done'],
    ['too large for the broker', { bytes: 5_000 }, 'too-large not-done'],
  ])('%s fails exactly the guilty one', async (_, bad, expected) => {
    expect(await badAmongMany(bad)).toEqual([expected, ...Array.from({ length: 1_999 }, () => 'confirmed')])
  })

  async function badAmongMany({
    exchange = '',
    bytes = 10,
  }: {
    exchange?: string
    bytes?: number
  }): Promise<string[]> {
    const users = {
      guest: {
        password: 'guest',
        permissions: { '/': { configure: '.*', read: '.*', write: '^(?!secret).*' } },
      },
    }
    const { rabbit, events } = await startHarness(
      { topology: { ...topology, exchanges: { ...topology.exchanges, secret: fanout() } } },
      { users, maxMessageBytes: 4_000 },
    )
    await rabbit.ready()
    const publisher = rabbit.publisher({ maxInFlight: 2_000 })
    const outcomes = Array.from({ length: 2_000 }, (_, i) => {
      const guilty = i === 1_000
      const content = 'x'.repeat(guilty ? bytes : 10)
      return settlement(publisher.publish(content, { key: 'bill', exchange: guilty ? exchange : '' }))
    })
    const [guilty, ...others] = await Promise.all([
      outcomes[1_000],
      ...outcomes.filter((_, i) => i !== 1_000),
    ])
    expect(events.filter(({ name }) => name === 'failover')).toEqual([])
    return [String(guilty), ...others.map(String)]
  }

  it('that the broker refuses without naming it is found by sending them one by one', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    cluster.script({
      when: { from: 'client', frame: 'basic.publish', fields: { routingKey: 'poison' } },
      do: 'close-channel',
      replyCode: 406,
      replyText: 'PRECONDITION_FAILED - something new',
    })
    await rabbit.ready()
    const publisher = rabbit.publisher({ exchange: 'orders' })
    const outcomes = Array.from({ length: 50 }, (_, i) =>
      publisher.publish({}, { key: i === 25 ? 'poison' : 'fine' }),
    )
    const ends = await Promise.all(outcomes.map(settlement))
    expect(ends[25]).toBe('rejected not-done')
    expect(ends.filter((end) => end === 'confirmed')).toHaveLength(49)
  })
})

describe('when the node of the publishers is lost', () => {
  it('what was not confirmed is sent again in order, and its receipts say that it may be twice', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    await rabbit.ready()
    const seen: number[] = []
    const publisher = rabbit.publisher<number>({ key: 'bill' })
    await publisher.publish(0)
    cluster.script({ when: { from: 'client', frame: 'basic.publish', node: 1, skip: 5 }, do: 'lose-confirm' })
    const receipts = Array.from({ length: 10 }, (_, i) => publisher.publish(i + 1))
    await until('all are stored', () => cluster.queue('bill')?.ready === 11)
    await cluster.node(1).kill()
    const settled = await Promise.all(receipts)
    expect(settled.map(({ maybeDuplicate }) => maybeDuplicate)).toEqual([
      ...Array(5).fill(false),
      ...Array(5).fill(true),
    ])
    rabbit.consume<number>('bill', ({ body }) => void seen.push(body))
    await until('all are consumed', () => seen.length === 16)
    expect([...new Set(seen)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    const failover = events.find(({ name, event }) => name === 'failover' && event['role'] === 'publish')
    expect(failover?.event).toMatchObject({
      from: cluster.node(1).address,
      to: cluster.node(2).address,
      cause: 'lost',
      replayed: 5,
    })
  })

  it('what the caller wants sent once at the most is told to be unknown', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    await rabbit.ready()
    cluster.script({ when: { from: 'client', frame: 'basic.publish', node: 1 }, do: 'lose-confirm' })
    const publisher = rabbit.publisher({ key: 'bill', maxInFlight: 1 })
    const sent = settlement(publisher.publish({}, { repeatable: false }))
    const waiting = settlement(publisher.publish({}, { repeatable: false }))
    await until('one is stored', () => cluster.queue('bill')?.ready === 1)
    await cluster.node(1).kill()
    expect([await sent, await waiting]).toEqual(['outcome-unknown unknown', 'confirmed'])
  })

  it('politely (320), it goes elsewhere without an error', async () => {
    const { rabbit, cluster } = await startHarness({ topology })
    const publisher = rabbit.publisher({ key: 'bill' })
    await publisher.publish({})
    await cluster.node(1).stop()
    expect(await publisher.publish({})).toMatchObject({ endpoint: cluster.node(2).address })
  })

  it('by falling silent, it is noticed in less than two seconds and a half', async () => {
    const { rabbit, cluster, events } = await startHarness({ topology })
    const publisher = rabbit.publisher({ key: 'bill' })
    await publisher.publish({})
    cluster.node(1).freeze()
    const receipt = await publisher.publish({})
    expect(receipt).toMatchObject({ endpoint: cluster.node(2).address, maybeDuplicate: true })
    expect(receipt.latencyMs).toBeLessThan(2_500)
    await until('it is told', () => events.some(({ name }) => name === 'failover'))
    expect(events.find(({ event }) => event['role'] === 'publish')?.event).toMatchObject({
      cause: 'unresponsive',
    })
  })

  it('at whatever byte of what the broker says, every publish still ends confirmed', async () => {
    for (let byte = 1; byte < 640; byte += 9) {
      const { rabbit, cluster } = await startHarness()
      const how = byte % 2 === 0 ? 'reset' : 'end'
      cluster.script({ when: { from: 'server', byte, connection: 1 }, do: 'cut', how })
      const publisher = rabbit.publisher({ key: 'nowhere' })
      const outcomes = Array.from({ length: 3 }, () =>
        settlement(publisher.publish({}, { mandatory: false })),
      )
      expect(await Promise.all(outcomes), `cut at byte ${byte}`).toEqual(Array(3).fill('confirmed'))
      await rabbit.close()
    }
  })
})

describe('the properties of a message', () => {
  it('arrive as they were given', async () => {
    const { rabbit } = await startHarness({ topology })
    const given = {
      contentType: 'text/csv',
      contentEncoding: 'gzip',
      appId: 'billing',
      userId: 'guest',
      correlationId: 'c-1',
      replyTo: 'answers',
      type: 'invoice',
      priority: 3,
      timestamp: 1_700_000_000,
      expirationMs: 60_000,
      persistent: false,
    }
    const seen: unknown[] = []
    rabbit.consume('bill', (delivery) => void seen.push(delivery), { codec: bytes() })
    await rabbit.publisher({ key: 'bill', codec: bytes() }).publish(Buffer.from('a;b'), given)
    await until('it arrives', () => seen.length === 1)
    expect(seen[0]).toMatchObject(given)
  })

  it.each([
    ['appId', 'x'.repeat(256)],
    ['contentType', 5],
    ['key', '\u20ac'.repeat(86)],
  ])('that the protocol cannot hold are refused before anything is sent: %s', async (option, value) => {
    const { rabbit } = await startHarness({ topology })
    await expect(rabbit.publisher({ key: 'bill' }).publish({}, { [option]: value })).rejects.toMatchObject({
      code: 'config-invalid',
      message: expect.stringMatching(new RegExp(`${option}: expected text of at most 255 bytes`)),
    })
  })
})
