import { encodeEvent, type Rule } from '@ha/testing/zookeeper'
import { describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type Harness, openHarness } from '../harness.ts'

const auth = [{ scheme: 'digest', value: 'user:password' }] as const
const openAcl = [
  { permissions: ['read', 'write', 'create', 'delete', 'admin'], scheme: 'world', id: 'anyone' },
] as const

describe('Z9: the wire brings what it should not', () => {
  it('tells each connection its name and its watches once, in this order, and first of all', async () => {
    await using harness = await openHarness()
    const client = await watching(harness)
    const before = harness.ensemble.accepted
    harness.ensemble.script({ when: { op: 'connect', times: 300 }, do: 'cut', how: 'end' })
    for (const node of harness.ensemble.nodes) for (const line of node.connections) line.reset()
    await harness.clock.advance(1)
    const asked = Array.from({ length: 20 }, () => client.set('/a', 'x', { timeoutMs: 3_600_000 }))
    await harness.inTime(Promise.all(asked))
    expect(harness.ensemble.accepted - before).toBe(301)
    const deeds = harness.ensemble.log.operations({ connection: harness.ensemble.accepted })
    expect(deeds.slice(0, 5)).toEqual(['accept', 'connect', 'auth', 'set-watches', 'set-data'])
    expect(deeds.filter((deed) => deed === 'auth' || deed === 'set-watches')).toHaveLength(2)
    expect(deeds.filter((deed) => deed === 'set-data')).toHaveLength(20)
  })

  it.each(['server', 'client'] as const)(
    'goes on when what the %s says is cut off at any byte',
    { timeout: 30_000 },
    async (from) => {
      await using harness = await openHarness()
      const client = await watching(harness)
      const defects: unknown[] = []
      client.events.on('defect', (defect) => void defects.push(defect))
      for (let byte = 1; byte <= 200; byte++) {
        const how = byte % 2 === 0 ? 'reset' : 'end'
        const connection = harness.ensemble.accepted + 1
        harness.ensemble.script({ when: { from, byte, connection, times: 1 }, do: 'cut', how })
        for (const node of harness.ensemble.nodes) for (const line of node.connections) line.drop()
        expect((await harness.inTime(client.get('/a')))?.data.toString(), `byte ${byte}`).toBe('one')
      }
      expect(defects).toEqual([])
      expect(client.health().operations).toBe(0)
      expect(harness.ensemble.connections).toBe(1)
    },
  )

  it('reads answers that come byte by byte', async () => {
    await using harness = await openHarness()
    const client = await watching(harness)
    harness.ensemble.script({ when: { path: '/a' }, do: 'slice', pieceBytes: 1 })
    expect((await harness.inTime(client.get('/a')))?.data.toString()).toBe('one')
    expect((await harness.inTime(client.children('/a')))?.names).toEqual([])
  })

  it.each([-118, -119, -121, -122, -124, -125, -127, -999, 77])(
    'settles a request that is answered with the code %i',
    async (code) => {
      await using harness = await openHarness()
      const client = await watching(harness)
      harness.ensemble.script({ when: { op: 'set-data', path: '/a' }, do: 'refuse', code })
      const error = await harness.inTime(client.set('/a', 'x').catch((thrown: unknown) => thrown))
      expect(error).toMatchObject({
        name: 'ZookeeperError',
        outcome: expect.stringMatching(/not-done|unknown/),
      })
      expect((await harness.inTime(client.get('/a')))?.data.toString()).toBe('one')
    },
  )

  it('passes over news of kinds that it does not know', async () => {
    await using harness = await openHarness()
    const client = await watching(harness)
    const rules = [5, 6, 7, -1, 99].map(
      (type): Rule => ({ when: { op: 'get-data', times: 1 }, do: 'inject', bytes: encodeEvent(type, '/a') }),
    )
    harness.ensemble.script(...rules)
    const accepted = harness.ensemble.accepted
    for (const _ of rules) await harness.inTime(client.get('/a'))
    expect(harness.ensemble.accepted).toBe(accepted)
    expect(client.state).toBe('connected')
  })
})

/** A client with a name and a watch. */
async function watching(harness: Harness): Promise<Zookeeper> {
  const { client } = harness.member({ auth, acl: openAcl, backoff: { maxMs: 100 } })
  await harness.inTime(client.create('/a', 'one'))
  const events = client.watch('/none', { kind: 'data' })[Symbol.asyncIterator]()
  events.next().catch(() => undefined)
  await harness.clock.advance(100)
  return client
}
