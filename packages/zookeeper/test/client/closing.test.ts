import { expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type ClientHarness, openClientHarness, settledWithin } from '../client-harness.ts'

/**
 * Situations in which the session cannot be closed over the current connection, while other servers can be reached.
 */
const ways: Readonly<Record<string, (harness: ClientHarness, client: Zookeeper) => void>> = {
  'in the turn in which its connection is reset': ({ ensemble }) => {
    for (const { connections } of ensemble.nodes) for (const line of connections) line.reset()
  },
  'while its server stands still': ({ ensemble }, client) => {
    ensemble.nodeOf(client.session?.id ?? 0n)?.freeze()
  },
  'by a server that hangs up over the farewell': ({ ensemble }) => {
    ensemble.script({ when: { op: 'close-session', times: 1 }, do: 'cut', how: 'reset' })
  },
  'while no server takes connections, for half a second': ({ ensemble, clock }) => {
    for (const node of ensemble.nodes) {
      node.refuse()
      for (const line of node.connections) line.reset()
      clock.after(500, () => node.admit())
    }
  },
}

it.each(Object.keys(ways))('a client that is closed %s ends its session within 2 s', async (name) => {
  await using harness = await openClientHarness({}, 3)
  const { clock, ensemble } = harness
  const client = harness.client({ sessionTimeoutMs: 8_000 })
  const { id } = await settledWithin(clock, 1_000, client.ready())
  await settledWithin(clock, 1_000, client.create('/e', '', { kind: 'ephemeral' }))
  ways[name]?.(harness, client)

  await settledWithin(clock, 2_000, client.close())

  expect(ensemble.sessions().map((session) => session.id)).not.toContain(id)
  expect(ensemble.tree().has('/e')).toBe(false)
})

it('a client that is closed while nobody is there gives up after 2 s', async () => {
  await using harness = await openClientHarness()
  const { clock, ensemble } = harness
  const client = harness.client()
  await settledWithin(clock, 1_000, client.ready())
  for (const node of ensemble.nodes) node.cut()
  const fromMs = clock.now()

  await settledWithin(clock, 3_000, client.close())

  expect(clock.now() - fromMs).toBeLessThanOrEqual(2_010)
})
