import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type Harness, openHarness, sessionMs } from '../harness.ts'

const closeMs = 2_000

/** Brings a client into the state in which it is closed. */
type Way = (harness: Harness, client: Zookeeper) => Promise<void>

const ways: Readonly<Record<string, Way>> = {
  'before it was asked for anything': async () => undefined,
  'while nobody is there': async ({ ensemble, clock }, client) => {
    for (const node of ensemble.nodes) await node.kill()
    client.ready().catch(() => undefined)
    await clock.advance(300)
  },
  'in a handshake that is not answered': async ({ ensemble, clock }, client) => {
    ensemble.script({ when: { op: 'connect' }, do: 'silence' })
    client.ready().catch(() => undefined)
    await clock.advance(100)
  },
  'while its watches are not set again': async ({ ensemble, clock, inTime }, client) => {
    await inTime(client.create('/a'))
    const events = client.watch('/a', { kind: 'data' })[Symbol.asyncIterator]()
    events.next().catch(() => undefined)
    await clock.advance(10)
    ensemble.script({ when: { op: ['set-watches', 'set-watches2'] }, do: 'ignore' })
    for (const node of ensemble.nodes) for (const line of node.connections) line.reset()
    await clock.advance(100)
  },
  connected: async ({ inTime }, client) => {
    await inTime(client.ready())
  },
  'with everything open that can be': async ({ clock, inTime }, client) => {
    await inTime(client.ready())
    client.cache('/a', { depth: 'tree' })
    client.ephemeral('/e', 'x')
    client.discovery().register({ name: 's', id: 'i', address: 'a' })
    client.discovery().service('s')
    client
      .lock('/l')
      .acquire()
      .catch(() => undefined)
    client
      .barrier('/b', 2)
      .enter()
      .catch(() => undefined)
    client
      .election('/v', { id: 'a' })
      .run(({ signal }) => untilAborted(signal))
      .catch(() => undefined)
    await clock.advance(100)
  },
  'suspended, with servers that come back': async ({ ensemble, inTime, clock }, client) => {
    await inTime(client.ready())
    for (const node of ensemble.nodes) {
      node.refuse()
      for (const line of node.connections) line.reset()
    }
    await clock.advance(200)
    for (const node of ensemble.nodes) node.admit()
  },
  'connected to a server that stands still': async ({ ensemble, inTime }, client) => {
    await inTime(client.ready())
    ensemble.nodeOf(client.session?.id ?? 0n)?.freeze()
  },
  'with all servers in a black hole': async ({ ensemble, inTime, clock }, client) => {
    await inTime(client.ready())
    for (const node of ensemble.nodes) node.cut()
    await clock.advance(1_000)
  },
  lost: async ({ ensemble, inTime, clock }, client) => {
    await inTime(client.ready())
    for (const node of ensemble.nodes) node.cut()
    await clock.advance(1.5 * sessionMs)
  },
}

// In these states the client cannot reach the servers, or a server does not read its socket.
const unreachable = [
  'in a handshake that is not answered',
  'connected to a server that stands still',
  'with all servers in a black hole',
  'lost',
]

describe('Z12: a client is closed', () => {
  let harness: Harness
  let client: Zookeeper

  beforeEach(async () => {
    harness = await openHarness()
    client = harness.member().client
  })
  afterEach(() => harness.ensemble.close())

  it.each(Object.keys(ways))('%s: within 2 s, with nothing pending and no timer left', async (name) => {
    await ways[name]?.(harness, client)
    const session = client.session?.id
    const fromMs = harness.clock.now()
    const took = (): number => harness.clock.now() - fromMs
    const pending = client.get('/pending', { timeoutMs: 30_000 }).then(
      () => ({ code: 'answered', tookMs: took() }),
      ({ code }: { readonly code: string }) => ({ code, tookMs: took() }),
    )
    const closes = [client.close(), client.close()].map((closing) => closing.then(took))
    const tookMs = await harness.inTime(Promise.all(closes))
    const { code, tookMs: pendingMs } = await harness.inTime(pending)
    await client.close()

    expect(Math.max(...tookMs)).toBeLessThanOrEqual(closeMs)
    expect(pendingMs).toBeLessThanOrEqual(closeMs)
    expect(code).toBe('closed')
    expect(client.state).toBe('closed')
    await expect(client.create('/x')).rejects.toMatchObject({ code: 'closed', outcome: 'not-done' })
    await expect(client.ready()).rejects.toMatchObject({ code: 'closed' })
    if (!unreachable.includes(name)) {
      expect(harness.ensemble.sessions().map(({ id }) => id)).not.toContain(session)
      expect(harness.ensemble.connections).toBe(0)
    }
    await harness.ensemble.close()
    expect(harness.clock.pending).toBe(0)
  })
})

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
