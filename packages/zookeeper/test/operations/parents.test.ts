import { expect, it } from 'vitest'
import type { Acl } from '../../src/node.ts'
import { openClientHarness, settledWithin } from '../client-harness.ts'

const anyone = { scheme: 'world', id: 'anyone' } as const
const everything: Acl['permissions'] = ['read', 'write', 'create', 'delete', 'admin']
const digest = (value: string): { auth: { scheme: string; value: string }[] } => ({
  auth: [{ scheme: 'digest', value }],
})

it('what is written into a parent that was created on the way stays when its last child goes', async () => {
  await using harness = await openClientHarness({ containerCheckMs: 1_000 })
  const zk = harness.client()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 2_000, work)
  await within(zk.create('/app/settings/flags/new', 'on', { parents: true }))
  await within(zk.set('/app/settings', 'EUR'))
  await within(zk.delete('/app/settings/flags/new'))
  await harness.clock.advance(10_000)

  expect((await within(zk.get('/app/settings')))?.data.toString()).toBe('EUR')
})

it('with container, only the direct parent goes with its last child', async () => {
  await using harness = await openClientHarness({ containerCheckMs: 1_000 })
  const zk = harness.client()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 2_000, work)
  await within(zk.create('/app/jobs/one', '', { parents: 'container' }))
  await within(zk.delete('/app/jobs/one'))
  await harness.clock.advance(10_000)

  expect(await within(zk.exists('/app/jobs'))).toBeUndefined()
  expect(await within(zk.exists('/app'))).toBeDefined()
})

it('the folder of a lock goes with its last waiter, and the nodes above it stay', async () => {
  await using harness = await openClientHarness({ containerCheckMs: 1_000 })
  const zk = harness.client()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 4_000, work)
  for (let round = 0; round < 3; round++) {
    await within(zk.lock('/app/locks/a').run(async () => undefined))
    await harness.clock.advance(5_000)
    expect(await within(zk.exists('/app/locks/a'))).toBeUndefined()
  }

  expect(await within(zk.exists('/app/locks'))).toBeDefined()
})

const dropbox: readonly Acl[] = [
  { permissions: ['create'], ...anyone },
  { permissions: everything, scheme: 'auth', id: '' },
]

it.each([true, false])(
  'a folder that allows creates and no reads is a parent and a chroot (exists needs read: %s)',
  async (existsNeedsRead) => {
    await using harness = await openClientHarness({ existsNeedsRead })
    const admin = harness.client(digest('admin:x'))
    const zk = harness.client()
    const below = harness.client({
      connect: `${harness.ensemble.connectString}/dropbox`,
      ensureChroot: true,
    })
    const deeper = harness.client({
      connect: `${harness.ensemble.connectString}/dropbox/a/b`,
      ensureChroot: true,
    })
    const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 4_000, work)
    await within(admin.create('/dropbox', '', { acl: dropbox }))

    await within(zk.create('/dropbox/team/job', 'x', { parents: true }))
    await within(zk.create('/dropbox/team/more/job', 'x', { parents: true }))
    await within(zk.ephemeral('/dropbox/hosts/h1', 'x').ready())
    await within(zk.lock('/dropbox/locks/a').run(async () => undefined))
    await within(below.create('/team2', 'x'))
    await within(deeper.create('/c/d', 'x', { parents: true }))

    expect(harness.ensemble.tree().has('/dropbox/a/b/c/d')).toBe(true)
  },
)

it('a parent that may not be created is named, with the refusal of the server', async () => {
  await using harness = await openClientHarness({ existsNeedsRead: true })
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 2_000, work)
  await within(
    harness.client(digest('admin:x')).create('/closed', '', { acl: [{ permissions: ['read'], ...anyone }] }),
  )

  await expect(within(harness.client().create('/closed/a/b', '', { parents: true }))).rejects.toMatchObject({
    code: 'no-auth',
    serverCode: -102,
  })
})

it('with credentials, the first service does not keep the others out of the parents', async () => {
  await using harness = await openClientHarness()
  const one = harness.client(digest('one:x'))
  const other = harness.client(digest('other:y'))
  const nobody = harness.client()
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 4_000, work)
  const register = (zk: typeof one, id: string): Promise<void> => {
    const registration = zk.discovery().register({ name: 'gw', id, address: '10.0.0.7', port: 1 })
    return within(registration.ready().then(() => (id === 'b' ? registration.close() : undefined)))
  }
  await register(one, 'a')
  await register(other, 'b')
  await register(nobody, 'c')

  expect(await within(other.children('/services/gw'))).toMatchObject({ names: ['a', 'c'] })
  await expect(within(other.set('/services', 'mine'))).rejects.toMatchObject({ code: 'no-auth' })
  await expect(within(other.get('/services/gw/a'))).rejects.toMatchObject({ code: 'no-auth' })
})

it('a chroot that a client with credentials has created lets others in', async () => {
  await using harness = await openClientHarness()
  const connect = `${harness.ensemble.connectString}/shop/eu`
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 4_000, work)
  await within(harness.client({ connect, ensureChroot: true, ...digest('one:x') }).create('/a'))

  await within(harness.client({ connect, ...digest('other:y') }).create('/b'))
})

it('a given ACL that allows creates is that of the missing parents as well', async () => {
  await using harness = await openClientHarness()
  const zk = harness.client(digest('one:x'))
  const within = <T>(work: Promise<T>): Promise<T> => settledWithin(harness.clock, 2_000, work)
  const own: readonly Acl[] = [{ permissions: everything, scheme: 'auth', id: '' }]
  await within(zk.create('/secret/a', '', { parents: true, acl: own }))
  const readable: readonly Acl[] = [{ permissions: ['read'], ...anyone }]
  await within(zk.create('/public/a', '', { parents: true, acl: readable }))

  await expect(within(harness.client().create('/secret/b'))).rejects.toMatchObject({ code: 'no-auth' })
  expect(await within(zk.acl('/public'))).toContainEqual({
    permissions: ['read', 'create', 'delete'],
    ...anyone,
  })
})

it('the client’s own acl option is asked for parents too', async () => {
  await using harness = await openClientHarness()
  const asked: string[] = []
  const acl = (path: string): readonly Acl[] => {
    asked.push(path)
    return [{ permissions: everything, ...anyone }]
  }
  const zk = harness.client({ acl })
  await settledWithin(harness.clock, 2_000, zk.create('/a/b/c', '', { parents: true }))

  expect(new Set(asked)).toEqual(new Set(['/a', '/a/b', '/a/b/c']))
})
