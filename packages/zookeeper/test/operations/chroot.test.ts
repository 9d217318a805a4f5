import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type Harness, openHarness } from '../harness.ts'

let harness: Harness

beforeEach(async () => {
  harness = await openHarness()
})
afterEach(() => harness.close())

/** All calls that create a node, also through its parents. */
const makings: Readonly<Record<string, (client: Zookeeper) => Promise<unknown>>> = {
  create: (client) => client.create('/a'),
  'create with parents': (client) => client.create('/config/limits', '', { parents: true }),
  'create with a number': (client) => client.create('/a-', '', { sequential: true }),
  multi: (client) =>
    client.multi([
      { kind: 'create', path: '/a' },
      { kind: 'create', path: '/a/b' },
    ]),
  lock: (client) => client.lock('/l').acquire(),
  counter: (client) => client.counter('/c').add(1),
  election: (client) =>
    client.election('/e', { id: 'a' }).run(async () => Promise.reject(new Error('it ran'))),
}

it.each(Object.keys(makings))(
  '%s below a chroot that does not exist names it, and the option that makes it',
  async (name) => {
    const { client } = harness.member({ connect: `${harness.ensemble.connectString}/shop` })

    await expect(harness.inTime(makings[name]!(client))).rejects.toMatchObject({
      name: 'ZookeeperError',
      code: 'config-invalid',
      message: expect.stringMatching(/the chroot \/shop does not exist: .*ensureChroot: true/),
    })
  },
)

it('a missing parent below a chroot that exists is no missing chroot', async () => {
  const { client } = harness.member({ connect: `${harness.ensemble.connectString}/shop`, ensureChroot: true })

  await expect(harness.inTime(client.create('/a/b'))).rejects.toMatchObject({
    code: 'no-node',
    message: expect.stringMatching(/^(?!.*chroot)/),
  })
  await expect(harness.inTime(client.multi([{ kind: 'set', path: '/a', data: '' }]))).rejects.toMatchObject({
    code: 'no-node',
    message: expect.stringMatching(/^(?!.*chroot)/),
  })
})
