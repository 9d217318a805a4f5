import { expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { after, bench } from './virtual.ts'

const openToAll = [
  { permissions: ['read', 'write', 'create', 'delete', 'admin'], scheme: 'world', id: 'anyone' },
] as const

/** Writes that are looked up when their answers are lost, and what the node holds when they were done once. */
const writes = [
  {
    name: 'create with a mark',
    op: 'create2',
    run: (client: Zookeeper) => client.create('/f/n-', 'x', { sequential: true, timeoutMs: 30_000 }),
    done: ['x'],
  },
  {
    name: 'set of a version that never reached a server',
    op: 'set-data',
    run: (client: Zookeeper) => client.set('/f/a', 'new', { version: 0, timeoutMs: 30_000 }),
    done: ['new'],
  },
] as const

// Seen with a login that was changed on the servers first: the look was refused, and the outcome told as unknown.
it.each(writes)(
  'a $name is looked up for as long as there is time, also while every server refuses us',
  async (write) => {
    await using world = await bench()
    const { clock, ensemble } = world
    const auth = [{ scheme: 'digest', value: 'a:b' }]
    const client = world.client({ auth, acl: openToAll, sessionTimeoutMs: 30_000 })
    await after(clock, 1_000, client.create('/f'))
    if (write.op === 'set-data') await after(clock, 1_000, client.create('/f/a', 'old'))
    const at = write.op === 'set-data' ? 'before' : 'unanswered'
    ensemble.script({ when: { op: write.op, times: 1 }, do: 'cut', how: 'reset', at })
    const admit = ensemble.script({ when: { op: 'auth' }, do: 'refuse', code: -115 })
    const writing = write.run(client)
    writing.catch(() => undefined)
    await clock.advance(6_000)
    admit()

    await after<unknown>(clock, 20_000, writing)

    const below = [...ensemble.tree()].filter(([path]) => path.startsWith('/f/'))
    expect(below.map(([, { data }]) => String(data))).toEqual(write.done)
  },
)

it('a write with a version stays unknown when its session was given up: the request may still come', async () => {
  await using world = await bench()
  const { clock, ensemble } = world
  const client = world.client({ sessionTimeoutMs: 4_000 })
  await after(clock, 1_000, client.create('/a', 'old'))
  ensemble.script({ when: { op: 'set-data', times: 1 }, do: 'ignore' })
  const writing = client.set('/a', 'new', { version: 0, timeoutMs: 30_000 })
  writing.catch(() => undefined)
  await clock.advance(100)
  for (const node of ensemble.nodes) await node.kill()
  await clock.advance(8_000)
  for (const node of ensemble.nodes) await node.start()

  await expect(after(clock, 20_000, writing)).rejects.toMatchObject({ outcome: 'unknown' })
})
