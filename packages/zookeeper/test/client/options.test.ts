import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createZookeeper } from '../../src/client.ts'
import { openHarness } from '../harness.ts'

const secret = 'very-secret'
const auth = [{ scheme: 'digest', value: `user:${secret}` }]

function messageOf(options: unknown): string {
  try {
    createZookeeper(options as string)
  } catch (error) {
    return String(error)
  }
  return 'nothing is wrong with it'
}

describe('the options of a client', () => {
  it.each([
    [{}, 'connect', 'zk1:2181'],
    [{ connect: 'a:1/x,b:2' }, 'connect', 'chroot'],
    [{ connect: 'a:0' }, 'connect', 'port'],
    [{ connect: 'a', sessionTimeoutMS: 4_000 }, 'sessionTimeoutMS', 'sessionTimeoutMs'],
    [{ connect: 'a', sessionTimeoutMs: 1 }, 'sessionTimeoutMs', '500'],
    [{ connect: 'a', backoff: { maxMS: 5 } }, 'backoff.maxMS', 'maxMs'],
    [{ connect: 'a', liveness: { probeAfterMs: 'x' } }, 'liveness.probeAfterMs', 'milliseconds'],
    [{ connect: 'a', auth: [{ scheme: '', value: 'x' }] }, 'auth[0].scheme', 'digest'],
    [{ connect: 'a', auth: [{ scheme: 'digest', value: 7 }] }, 'auth[0].value', 'user:password'],
    [
      { connect: 'a', acl: [{ permissions: ['look'], scheme: 'world', id: 'anyone' }] },
      'permissions',
      'read',
    ],
    [{ connect: 'a', tls: 'yes' }, 'tls', 'node:tls'],
    [{ connect: 'a', maxOperations: 0 }, 'maxOperations', '1'],
  ])('%j: the message names the option, and what is expected', (options, path, expected) => {
    const message = messageOf(options)
    expect(message).toContain(path)
    expect(message).toContain(expected)
  })

  it('never tells a secret: not in an error, not in what is shown of a client, not in its health', async () => {
    const wrong = messageOf({ connect: 'a', auth, sessionTimeoutMs: -1, author: auth })
    await using harness = await openHarness()
    const { client } = harness.member({
      auth,
      acl: [{ permissions: ['read'], scheme: 'world', id: 'anyone' }],
    })
    harness.ensemble.script({ when: { op: 'auth', times: 1 }, do: 'refuse', code: -115 })
    const refused = await harness.inTime(client.ready({ timeoutMs: 2_000 }).catch((error: unknown) => error))
    const health = JSON.stringify(client.health(), (_, value) =>
      typeof value === 'bigint' ? String(value) : value,
    )
    const all = [
      wrong,
      inspect(refused, { depth: 10 }),
      inspect(client, { depth: 10, showHidden: true }),
      health,
    ]
    expect(wrong).toContain('sessionTimeoutMs')
    for (const text of all) expect(text).not.toContain(secret)
  })
})
