import { expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { after, type Bench, bench } from './virtual.ts'

const readers = [{ permissions: ['read'], scheme: 'world', id: 'anyone' }] as const

function below({ ensemble, client }: Bench): { readonly zk: Zookeeper; readonly defects: readonly string[] } {
  const zk = client({ connect: `${ensemble.connectString}/shop`, ensureChroot: true })
  const defects: string[] = []
  zk.events.on('defect', ({ where, error }) => void defects.push(`${where}: ${error.message}`))
  return { zk, defects }
}

it('a chroot that the servers refuse to make is told once, with the reason', async () => {
  await using world = await bench()
  const { clock, ensemble } = world
  const root = world.client()
  await after(clock, 1_000, root.setAcl('/', readers))
  const { zk, defects } = below(world)
  await after(clock, 1_000, zk.ready())
  for (const { connections } of ensemble.nodes) for (const line of connections) line.reset()
  await clock.advance(2_000)

  expect(defects).toEqual([expect.stringMatching(/chroot \/shop.*NOAUTH/)])
})

it('a chroot that is there is not asked for where the root is locked', async () => {
  await using world = await bench()
  const { clock } = world
  const root = world.client()
  await after(clock, 1_000, root.create('/shop'))
  await after(clock, 1_000, root.setAcl('/', readers))
  const { zk, defects } = below(world)

  const made = await after(clock, 1_000, zk.create('/a'))

  expect(made).toMatchObject({ path: '/a' })
  expect(defects).toEqual([])
})
