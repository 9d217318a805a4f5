import { expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { openClientHarness, settledWithin } from '../client-harness.ts'

const openToAll = [
  { permissions: ['read', 'write', 'create', 'delete', 'admin'], scheme: 'world', id: 'anyone' },
] as const

/** Writes that are looked up when their replies are lost, and the data of the node after one execution. */
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

// Seen with credentials that were first changed on the servers: the lookup was refused, and the outcome was unknown.
it.each(writes)(
  'a $name is looked up for as long as there is time, also while every server refuses us',
  async (write) => {
    await using harness = await openClientHarness()
    const { clock, ensemble } = harness
    const auth = [{ scheme: 'digest', value: 'a:b' }]
    const client = harness.client({ auth, acl: openToAll, sessionTimeoutMs: 30_000 })
    await settledWithin(clock, 1_000, client.create('/f'))
    if (write.op === 'set-data') await settledWithin(clock, 1_000, client.create('/f/a', 'old'))
    const at = write.op === 'set-data' ? 'before' : 'unanswered'
    ensemble.script({ when: { op: write.op, times: 1 }, do: 'cut', how: 'reset', at })
    const admit = ensemble.script({ when: { op: 'auth' }, do: 'refuse', code: -115 })
    const writing = write.run(client)
    writing.catch(() => undefined)
    await clock.advance(6_000)
    admit()

    await settledWithin<unknown>(clock, 20_000, writing)

    const below = [...ensemble.tree()].filter(([path]) => path.startsWith('/f/'))
    expect(below.map(([, { data }]) => String(data))).toEqual(write.done)
  },
)

it('a write with a version stays unknown when its session was given up: the request may still come', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const client = harness.client({ sessionTimeoutMs: 4_000 })
  await settledWithin(clock, 1_000, client.create('/a', 'old'))
  ensemble.script({ when: { op: 'set-data', times: 1 }, do: 'ignore' })
  const writing = client.set('/a', 'new', { version: 0, timeoutMs: 30_000 })
  writing.catch(() => undefined)
  await clock.advance(100)
  for (const node of ensemble.nodes) await node.kill()
  await clock.advance(8_000)
  for (const node of ensemble.nodes) await node.start()

  await expect(settledWithin(clock, 20_000, writing)).rejects.toMatchObject({ outcome: 'unknown' })
})
