import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import {
  type RabbitOptions,
  resolveConsumeOptions,
  resolvePublisherOptions,
  resolveRabbitOptions,
} from '../src/options.ts'

const secret = 's3ntinel'

type Resolved = ReturnType<typeof resolveRabbitOptions>
type Read = Omit<Resolved, 'username' | 'password'> & Readonly<Record<'username' | 'password', string>>

// Name and password are wrapped, so that no dump of the options shows them.
async function read(options: Parameters<typeof resolveRabbitOptions>[0]): Promise<Read> {
  const resolved = resolveRabbitOptions(options)
  return { ...resolved, username: await resolved.username(), password: await resolved.password() }
}

describe('the options of a client', () => {
  it('are all there when only addresses are given', async () => {
    expect(await read({ addresses: 'n1, n2:5673' })).toMatchObject({
      addresses: [
        { host: 'n1', port: 5672 },
        { host: 'n2', port: 5673 },
      ],
      username: 'guest',
      vhost: '/',
      strategy: 'random',
      dial: { attemptMs: 3_000, staggerMs: 100, parallel: 2 },
      liveness: { heartbeatMs: 8_000, probeAfterMs: 750, probeTimeoutMs: 1_000, confirmStallMs: 8_000 },
      outbox: {
        maxMessages: 50_000,
        maxBytes: 67_108_864,
        maxAgeMs: 300_000,
        onFull: 'wait',
        maxWaiting: 1_000,
      },
      topology: {},
    })
  })

  it('show no password in a dump', () => {
    expect(inspect(resolveRabbitOptions({ addresses: 'n1', password: secret }), { depth: 9 })).not.toMatch(
      secret,
    )
  })

  it.each<[string, Partial<Read>]>([
    ['amqp://n1', { addresses: [{ host: 'n1', port: 5672 }], tls: undefined }],
    ['amqps://n1', { addresses: [{ host: 'n1', port: 5671 }], tls: {} }],
    ['amqp://u:p%40ss@n1:1,[::1]:2/my%2Fhost', { username: 'u', password: 'p@ss', vhost: 'my/host' }],
    ['amqp://u@n1/', { username: 'u', password: 'guest', vhost: '/' }],
    ['amqp://n1/v?heartbeat=20&name=billing', { vhost: 'v', name: 'billing' }],
    ['AMQP://n1', { addresses: [{ host: 'n1', port: 5672 }], tls: undefined }],
    ['AMQPS://n1', { addresses: [{ host: 'n1', port: 5671 }], tls: {} }],
    [
      'amqp://u:p@n1:1/v,amqp://u:p@n2:2/v, amqp://n3',
      {
        addresses: [
          { host: 'n1', port: 1 },
          { host: 'n2', port: 2 },
          { host: 'n3', port: 5672 },
        ],
        username: 'u',
        password: 'p',
        vhost: 'v',
      },
    ],
    ['amqp://n1, amqp://u@n2?heartbeat=20', { username: 'u' }],
    [
      'amqp://n1?connection_timeout=5000&locale=en_US',
      { dial: { attemptMs: 5_000, staggerMs: 100, parallel: 2 } },
    ],
    ['amqp://n1?connectionTimeout=400&connectionName=bill', { name: 'bill' }],
    ['amqps://n1?auth_mechanism=external', { mechanism: 'EXTERNAL' }],
    ['amqps://n1?authMechanism=PLAIN', { mechanism: 'PLAIN' }],
  ])('come from %s as well', async (url, expected) => {
    expect(await read(url)).toMatchObject(expected)
  })

  it('take a heartbeat from the URL in seconds, as every URL does', () => {
    expect(resolveRabbitOptions('amqp://n1?heartbeat=20').liveness.heartbeatMs).toBe(20_000)
  })

  it('take beside a URL what it has no words for, and that counts where both say something', () => {
    const { addresses, name, liveness, topology } = resolveRabbitOptions('amqp://n1?heartbeat=30&name=url', {
      name: 'beside',
      liveness: { probeAfterMs: 500 },
      topology: { exchanges: { orders: { type: 'topic' } } },
    })
    expect({ addresses, name, topology }).toEqual({
      addresses: [{ host: 'n1', port: 5672 }],
      name: 'beside',
      topology: { exchanges: { orders: { type: 'topic' } } },
    })
    expect(liveness).toMatchObject({ heartbeatMs: 30_000, probeAfterMs: 500 })
  })

  it('keep what the URL says where nothing is set beside it', async () => {
    const { password } = resolveRabbitOptions('amqp://u:p@n1', { password: undefined } as object)
    expect(await password()).toBe('p')
  })

  it('ask a function for addresses, and check what it returns', async () => {
    const { addresses } = resolveRabbitOptions({ addresses: async () => ['n1', { host: 'n2', port: 7 }] })
    const ask = addresses as () => Promise<unknown>
    expect(await ask()).toEqual([
      { host: 'n1', port: 5672 },
      { host: 'n2', port: 7 },
    ])
    const wrong = resolveRabbitOptions({ addresses: async () => ['n1:x'] })
      .addresses as () => Promise<unknown>
    await expect(wrong()).rejects.toThrow("rabbit.addresses()[0], column 1: port 'x' is not a number")
  })

  it.each<[unknown, string]>([
    [{}, "rabbit.addresses: expected 'host:port,host:port', a list of addresses, or a function"],
    [{ addresses: [] }, 'rabbit.addresses: expected at least one address'],
    [{ addresses: 'n1,n1' }, 'rabbit.addresses, column 4: n1:5672 is repeated (first at column 1)'],
    [{ addresses: [{ host: 'n1', port: 0 }] }, 'rabbit.addresses[0].port: expected a number from 1 to 65535'],
    [{ addresses: 'n1', hearbeatMs: 5 }, 'rabbit.hearbeatMs: there is no such option'],
    [
      { addresses: 'n1', liveness: { hearbeatMs: 5_000 } },
      "rabbit.liveness.hearbeatMs: there is no such option; did you mean 'heartbeatMs'?",
    ],
    [
      { addresses: 'n1', liveness: { heartbeatMs: 1_500 } },
      'rabbit.liveness.heartbeatMs: expected whole seconds in milliseconds, from 2000 to 600000',
    ],
    [
      { addresses: 'n1', outbox: { onFull: 'drop_oldest_' } },
      "rabbit.outbox.onFull: expected one of wait, reject, drop-oldest, got 'drop_oldest_'; did you mean 'drop-oldest'?",
    ],
    [
      { addresses: 'n1', tls: 'yes' },
      'rabbit.tls: expected true, false or the options of node:tls, got a string',
    ],
    [
      { addresses: 'n1', topology: { bindings: [{ exchange: '' }] } },
      'rabbit.topology.bindings[0]: expected either queue or toExchange',
    ],
    ['http://n1', 'url: expected amqp://user:password@host:port,host:port/vhost'],
    ['amqp://', 'rabbit.addresses, column 1: expected a host, found nothing'],
    [
      'amqp://n1?hearbeat=3',
      "url?hearbeat: there is no such parameter, only heartbeat and name; did you mean 'heartbeat'?",
    ],
    ['amqp://n1/%zz', 'url: the vhost is not percent-encoded correctly'],
    ['amqp://n1?frameMax=0', 'url?frameMax: leave it out: the client takes the frame size of the broker'],
    [
      'amqp://n1?frame_max=8192',
      'url?frame_max: leave it out: the client takes the frame size of the broker',
    ],
    ['amqp://n1?channelMax=9', 'url?channelMax: leave it out: the client takes the number of channels'],
    [
      'amqp://n1?heartbeat=0',
      'url?heartbeat: expected whole seconds from 2 to 600 (option liveness.heartbeatMs)',
    ],
    [
      'amqp://n1?heartbeat=1',
      'url?heartbeat: expected whole seconds from 2 to 600 (option liveness.heartbeatMs)',
    ],
    ['amqp://n1?heartbeat=', 'url?heartbeat: expected whole seconds from 2 to 600'],
    ['amqp://n1?heartbeat=8&heartbeat=9', 'url?heartbeat: expected it once'],
    [
      'amqp://n1?connection_timeout=5',
      'url?connection_timeout: expected whole milliseconds from 100 to 60000',
    ],
    [
      'amqp://n1?auth_mechanism=amqplain',
      'url?auth_mechanism: expected PLAIN or EXTERNAL (option mechanism)',
    ],
    ['amqp://n1?locale=de_DE', 'url?locale: expected en_US'],
    ['amqps://n1?cacertfile=/ca.pem', 'url?cacertfile: leave it out, and set tls.ca in the options'],
    ['amqp://n1?socket_timeout=5', 'url?socket_timeout: write connection_timeout, in milliseconds'],
    ['amqp://n1?toString=1', 'url: there is no such parameter, only heartbeat and name'],
    ['amqp://a@n1,amqp://b@n2', 'url: expected the same username in all URLs'],
    ['amqp://n1,amqps://n2', 'url: expected the same scheme in all URLs'],
  ])('reject %j and say where', (input, message) => {
    expect(() => resolveRabbitOptions(input as RabbitOptions)).toThrow(message)
  })

  it.each<unknown>([
    { addresses: 'n1', password: [secret] },
    { addresses: 'n1', pasword: secret },
    `amqp://u:${secret}@n1@n2`,
    `amqp://u:${secret}/more@n1`,
    `amqp://u:p@${secret}@n1`,
    `amqp://u:${secret}?more@n1/v`,
    `amqp://u:more?${secret}@n1/v`,
    `amqp://u:more?${secret}`,
    { addresses: `amqp://u:${secret}@n1` },
    { addresses: [`u:${secret}@n1`] },
    `amqp://u:${secret}%zz@n1`,
    `amqp:/u:${secret}@n1`,
    `amqp://u:p@n1,amqp://u:${secret}@n2`,
    `amqp://u:${secret}@n1,amqp://u:p@n2`,
    `amqp://u:p@n1,amqp:/u:${secret}@n2`,
    `amqp://n1?heartbeat=${secret}`,
    `amqp://n1?auth_mechanism=${secret}`,
  ])('never name a secret: %#', (input) => {
    try {
      resolveRabbitOptions(input as RabbitOptions)
      expect.unreachable()
    } catch (error) {
      expect(`${(error as Error).stack} ${JSON.stringify(error)}`).not.toContain(secret)
    }
  })
})

describe('the options of a publisher and of a consumer', () => {
  it('have defaults', () => {
    expect(resolvePublisherOptions({})).toMatchObject({ exchange: '', key: '', maxInFlight: 512 })
    expect(resolveConsumeOptions('bill', () => undefined, {})).toMatchObject({
      queue: 'bill',
      prefetch: 32,
      onError: 'requeue',
      requeueDelayMs: 1_000,
      exclusive: false,
    })
  })

  it.each<[() => unknown, string]>([
    [
      () => resolvePublisherOptions({ maxInflight: 5 } as never),
      "publisher.maxInflight: there is no such option; did you mean 'maxInFlight'?",
    ],
    [
      () => resolvePublisherOptions({ exchange: 'x'.repeat(256) }),
      'publisher.exchange: expected text of at most 255 bytes',
    ],
    [
      () => resolvePublisherOptions({ codec: 'json' as never }),
      'publisher.codec: expected json(), text(), bytes() or a codec of your own',
    ],
    [() => resolveConsumeOptions('', () => undefined, {}), 'consume: expected the name of a queue'],
    [() => resolveConsumeOptions('bill', undefined as never, {}), "consume 'bill': expected a handler"],
    [
      () => resolveConsumeOptions('bill', () => undefined, { prefetch: 0 }),
      "consume 'bill'.prefetch: expected a whole number from 1 to 65535, got 0",
    ],
  ])('are checked: %s', (resolve, message) => {
    expect(resolve).toThrow(message)
  })
})
