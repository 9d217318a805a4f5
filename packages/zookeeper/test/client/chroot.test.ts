import { expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type ClientHarness, openClientHarness, settledWithin } from '../client-harness.ts'

const readers = [{ permissions: ['read'], scheme: 'world', id: 'anyone' }] as const

function below({ ensemble, client }: ClientHarness): {
  readonly zk: Zookeeper
  readonly defects: readonly string[]
} {
  const zk = client({ connect: `${ensemble.connectString}/shop`, ensureChroot: true })
  const defects: string[] = []
  zk.events.on('defect', ({ where, error }) => void defects.push(`${where}: ${error.message}`))
  return { zk, defects }
}

it('a chroot that the servers refuse to make is told once, with the reason', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const root = harness.client()
  await settledWithin(clock, 1_000, root.setAcl('/', readers))
  const { zk, defects } = below(harness)
  await settledWithin(clock, 1_000, zk.ready())
  for (const { connections } of ensemble.nodes) for (const line of connections) line.reset()
  await clock.advance(2_000)

  expect(defects).toEqual([expect.stringMatching(/chroot \/shop.*NOAUTH/)])
})

it('a chroot that is there is not asked for where the root is locked', async () => {
  await using harness = await openClientHarness()
  const { clock } = harness
  const root = harness.client()
  await settledWithin(clock, 1_000, root.create('/shop'))
  await settledWithin(clock, 1_000, root.setAcl('/', readers))
  const { zk, defects } = below(harness)

  const made = await settledWithin(clock, 1_000, zk.create('/a'))

  expect(made).toMatchObject({ path: '/a' })
  expect(defects).toEqual([])
})

it('a create whose chroot may not be made names the path of the caller and the chroot', async () => {
  await using harness = await openClientHarness()
  const { clock } = harness
  const root = harness.client()
  await settledWithin(clock, 1_000, root.setAcl('/', readers))
  const { zk } = below(harness)

  await expect(settledWithin(clock, 5_000, zk.create('/a'))).rejects.toMatchObject({
    code: 'no-auth',
    path: '/a',
    message: expect.stringMatching(
      /^create \/a: the chroot \/shop is missing and could not be created: .*NOAUTH/,
    ),
  })
})
