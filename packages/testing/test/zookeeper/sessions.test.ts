import { settle } from '@ha/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type MemoryEnsemble, startMemoryEnsemble } from './memory-ensemble.ts'
import { codeOf } from './scenarios/comparable-stat.ts'

// Ticks of two seconds: what is granted four seconds at 0 ends at 6000, the first tick behind 4000.
const grantedMs = 4_000
const endsAtMs = 6_000

let ours: MemoryEnsemble
beforeEach(async () => {
  ours = await startMemoryEnsemble({ tickTimeMs: 2_000 })
})
afterEach(() => ours.ensemble.close())

describe('a session of a fake ensemble', () => {
  it.each([
    [1, 4_000],
    [5_000, 5_000],
    [1_000_000, 40_000],
  ])('that asks for %d ms is granted %d', async (timeoutMs, granted) => {
    const { grant } = await ours.client(1, { timeoutMs })
    expect(grant.timeoutMs).toBe(granted)
  })

  it('ends at the first tick behind its time, and its nodes with it', async () => {
    const client = await ours.client()
    await client.create('/e', { flags: 1 })
    await ours.clock.advance(endsAtMs - 1)
    const before = ours.ensemble.tree().has('/e')
    await ours.clock.advance(1)
    expect([before, ours.ensemble.tree().has('/e'), ours.ensemble.sessions().length]).toEqual([
      true,
      false,
      0,
    ])
  })

  it('goes on for as long as it is heard of', async () => {
    const client = await ours.client()
    for (let i = 0; i < 5; i += 1) {
      await ours.clock.advance(grantedMs - 1)
      await client.ping()
    }
    expect(ours.ensemble.sessions().length).toBe(1)
  })

  it('does not end with its socket, and tells its connection when it ends', async () => {
    const gone = await ours.client(1)
    const here = await ours.client(2)
    gone.leave()
    await ours.clock.advance(endsAtMs - 1)
    expect([ours.ensemble.sessions().length, here.isEnded]).toEqual([2, false])
    await ours.clock.advance(1)
    expect([ours.ensemble.sessions().length, here.isEnded]).toEqual([0, true])
  })

  it('is told that it is over when it comes back too late', async () => {
    const client = await ours.client()
    client.leave()
    await ours.clock.advance(endsAtMs)
    const { grant } = await ours.client(2, client.grant)
    expect([grant.timeoutMs, grant.sessionId]).toEqual([0, 0n])
  })

  it('ends when a test says so, like one whose time is over', async () => {
    const [client, watcher] = [await ours.client(1), await ours.client(2)]
    await client.create('/e', { flags: 1 })
    await watcher.read('exists', '/e', true)
    ours.ensemble.expire(client.grant.sessionId)
    await settle()
    expect([client.isEnded, watcher.news]).toEqual([true, ['deleted /e']])
  })

  it('is renewed by a new leader', async () => {
    const client = await ours.client(1)
    client.leave()
    await ours.clock.advance(endsAtMs - 1)
    await ours.ensemble.leader!.kill()
    await ours.clock.advance(endsAtMs - 1)
    expect(ours.ensemble.sessions().length).toBe(1)
  })

  it('does not end while no majority is there', async () => {
    await ours.client(1)
    await ours.ensemble.node(2).kill()
    await ours.ensemble.node(3).kill()
    await ours.clock.advance(100_000)
    expect(ours.ensemble.sessions().length).toBe(1)
  })

  it('owns what it has made', async () => {
    const client = await ours.client()
    await client.create('/a')
    await client.create('/a/e-', { flags: 3 })
    expect([...ours.ensemble.owners()]).toEqual([[client.grant.sessionId, ['/a/e-0000000000']]])
  })
})

describe('a node of the tree that nobody needs', () => {
  it('is a container whose last child has gone', async () => {
    const client = await ours.client(1, { timeoutMs: 40_000 })
    await client.create('/c', { op: 'create-container', flags: 4 })
    await client.create('/new', { op: 'create-container', flags: 4 })
    await client.create('/c/a')
    await client.delete('/c/a')
    await ours.clock.advance(60_000)
    expect(['/c', '/new'].map((path) => ours.ensemble.tree().has(path))).toEqual([false, true])
  })

  it('is one that was not changed for as long as it may live', async () => {
    const client = await ours.client(1)
    await client.createTtl('/t', 61_000n)
    await ours.clock.advance(60_000)
    const before = ours.ensemble.tree().has('/t')
    await ours.clock.advance(60_000)
    expect([before, ours.ensemble.tree().has('/t')]).toEqual([true, false])
  })

  it('cannot have a time to live where the servers are not told to', async () => {
    await using strict = await startMemoryEnsemble({ hasTtl: false })
    const client = await strict.client()
    expect(codeOf(await client.createTtl('/t', 1_000n))).toBe(-6)
  })
})
