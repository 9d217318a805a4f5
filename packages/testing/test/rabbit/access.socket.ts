import type { Channel } from 'amqplib'
import { describe, expect, it } from 'vitest'
import { startFakeCluster } from '../../src/rabbit/index.ts'
import { client, send } from './client.ts'
import { greeting, open, rawClient, startOk, tuneOk } from './raw-client.ts'

const mine = { configure: '^mine', write: '^mine', read: '^mine' }
const users = { guest: { password: 'guest' }, bob: { password: 'secret', permissions: { '/': mine } } }

describe('a fake broker lets in', () => {
  it('a user of its table', async () => {
    await using cluster = await startFakeCluster({ users })
    await client(cluster, '', 'bob:secret')
    expect(cluster.connections).toMatchObject([{ user: 'bob' }])
  })

  it.each(['bob:wrong', 'nobody:secret'])('not %s', async (login) => {
    await using cluster = await startFakeCluster({ users })
    await expect(client(cluster, '', login)).rejects.toThrow(
      'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.',
    )
  })

  it('not a user into a vhost without permission', async () => {
    await using cluster = await startFakeCluster({ users, vhosts: ['/', 'other'] })
    const raw = await rawClient(cluster.url)
    raw.say(greeting)
    await raw.next()
    raw.say(startOk('\0bob\0secret'), tuneOk(10, 4096, 0), open('other'))
    expect(await raw.refusal()).toBe(
      "connection 530 for 10.40: NOT_ALLOWED - access to vhost 'other' refused for user 'bob'",
    )
  })

  const refusals: readonly { deed: string; act: (channel: Channel) => unknown; subject: string }[] = [
    { deed: 'declare', act: (channel) => channel.assertQueue('theirs'), subject: "queue 'theirs'" },
    {
      deed: 'declare',
      act: (channel) => channel.assertExchange('theirs', 'direct'),
      subject: "exchange 'theirs'",
    },
    {
      deed: 'consume from',
      act: (channel) => channel.consume('theirs', () => undefined),
      subject: "queue 'theirs'",
    },
    { deed: 'get from', act: (channel) => channel.get('theirs'), subject: "queue 'theirs'" },
    { deed: 'delete', act: (channel) => channel.deleteQueue('theirs'), subject: "queue 'theirs'" },
    {
      deed: 'publish to',
      act: (channel) => channel.publish('', 'k', Buffer.from('')),
      subject: "exchange 'amq.default'",
    },
    {
      deed: 'bind from',
      act: (channel) => channel.bindQueue('mine', 'amq.direct', 'k'),
      subject: "exchange 'amq.direct'",
    },
    {
      deed: 'send the dead to',
      act: (channel) => channel.assertQueue('mine', { deadLetterExchange: 'theirs' }),
      subject: "exchange 'theirs'",
    },
  ]
  it.each(refusals)('no user to $deed $subject without permission', async ({ act, subject }) => {
    await using cluster = await startFakeCluster({ users })
    const { channel, refused } = await client(cluster, '', 'bob:secret')
    void Promise.resolve(act(channel)).catch(() => undefined)
    expect(await refused).toMatchObject({
      code: 403,
      message: expect.stringContaining(
        `ACCESS_REFUSED - access to ${subject} in vhost '/' refused for user 'bob'`,
      ),
    })
  })

  it('a user to what its permissions name', async () => {
    await using cluster = await startFakeCluster({ users })
    const { channel } = await client(cluster, '', 'bob:secret')
    expect(await channel.assertQueue('mine')).toMatchObject({ queue: 'mine' })
  })

  it('a user to read what it may not write, and the other way round', async () => {
    const permissions = { '/': { configure: '', write: '^in$', read: '^out$' } }
    await using cluster = await startFakeCluster({
      users: { bob: { password: 'secret', permissions }, guest: users.guest },
    })
    const { channel: guest } = await client(cluster)
    for (const name of ['in', 'out']) {
      await guest.assertQueue(name)
      await guest.assertExchange(name, 'fanout')
    }
    const { model, channel, refused } = await client(cluster, '', 'bob:secret')
    expect(await channel.get('out')).toBe(false)
    const reader = await model.createConfirmChannel()
    reader.publish('in', '', Buffer.from(''))
    await reader.waitForConfirms()
    channel.publish('out', '', Buffer.from(''))
    expect(await refused).toMatchObject({ message: expect.stringContaining("access to exchange 'out'") })
  })

  it('two vhosts that see nothing of each other', async () => {
    await using cluster = await startFakeCluster({ vhosts: ['/', 'other'] })
    const { channel } = await client(cluster, '/other')
    await channel.assertQueue('q')
    expect([cluster.queue('q'), cluster.queue('q', 'other')]).toMatchObject([undefined, { name: 'q' }])
  })

  it('no message that is larger than it may be, and refuses only that one', async () => {
    await using cluster = await startFakeCluster({ maxMessageBytes: 10 })
    const { channel, refused } = await client(cluster)
    await channel.assertQueue('q')
    expect(await send(channel, 'q', '0123456789')).toBe('ack')
    void send(channel, 'q', '0123456789a')
    expect(await refused).toMatchObject({
      code: 406,
      message: expect.stringContaining(
        'PRECONDITION_FAILED - message size 11 is larger than configured max size 10',
      ),
    })
  })
})
