import { settle } from '@ha/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { JuteWriter } from '../../src/zookeeper/wire/records.ts'
import { type MemoryEnsemble, startMemoryEnsemble } from './memory-ensemble.ts'
import type { RawClient, Reply } from './raw-client.ts'
import { codeOf } from './scenarios/comparable-stat.ts'

// The leader asks at 1000, 2000, ...: what it hears then of four seconds granted ends at the first tick behind 4000 more.
const tickTimeMs = 2_000
const detectMs = 10_000
// What a node that stood still needs to hear of the others.
const noticeMs = 25

let ours: MemoryEnsemble
beforeEach(async () => {
  ours = await startMemoryEnsemble({ tickTimeMs, detectMs })
})
afterEach(() => ours.ensemble.close())

/** When the only session ends, if nobody hears of it any more. */
function endsAtMs(): number | undefined {
  return ours.ensemble.sessions()[0]?.expiresAtMs
}

function sync(client: RawClient): Promise<Reply | undefined> {
  return client.ask('sync', new JuteWriter().text('/'))
}

/** What came of something so far. */
function outcome<T>(promise: Promise<T>): () => T | 'pending' {
  let value: T | 'pending' = 'pending'
  void promise.then((settled) => {
    value = settled
  })
  return () => value
}

describe('that a follower has heard a client', () => {
  it('is known to the leader when it asks, every half tick', async () => {
    const client = await ours.client(1)
    await ours.clock.advance(1_500)
    await client.ping()
    await ours.clock.advance(499)
    const before = endsAtMs()
    await ours.clock.advance(1)
    expect([before, endsAtMs()]).toEqual([6_000, 8_000])
  })

  it('is not told by what it hands on to the leader', async () => {
    const client = await ours.client(1)
    await ours.clock.advance(2_100)
    await client.create('/a')
    await sync(client)
    expect(endsAtMs()).toBe(6_000)
  })

  it('is never known when the follower dies before', async () => {
    const client = await ours.client(1)
    await ours.clock.advance(2_100)
    await client.ping()
    await ours.ensemble.node(1).kill()
    await ours.clock.advance(3_900)
    expect(ours.ensemble.sessions()).toEqual([])
  })

  it('is known at once when it is the leader itself', async () => {
    const client = await ours.client(3)
    await ours.clock.advance(2_100)
    await client.ping()
    expect(endsAtMs()).toBe(8_000)
  })

  it('is known when a follower that stood still is answered by the leader', async () => {
    const client = await ours.client(1)
    await ours.clock.advance(500)
    await client.ping()
    ours.ensemble.node(1).freeze()
    const synced = outcome(sync(client))
    await ours.clock.advance(2_500)
    ours.ensemble.node(1).thaw()
    await settle()
    const before = [synced(), endsAtMs()]
    await ours.clock.advance(noticeMs)
    expect([before, synced(), endsAtMs()]).toMatchObject([['pending', 6_000], { code: 0 }, 8_000])
  })

  it('is known too late to a leader that stood still for longer', async () => {
    const client = await ours.client(1)
    await ours.clock.advance(500)
    ours.ensemble.node(3).freeze()
    await client.ping()
    await ours.clock.advance(7_000)
    const before = ours.ensemble.sessions().length
    ours.ensemble.node(3).thaw()
    expect([before, ours.ensemble.sessions().length]).toEqual([1, 0])
  })
})

describe('a follower that is cut off from the leader', () => {
  it('answers pings and reads, and neither writes nor syncs', async () => {
    const clients = await Promise.all([1, 1, 1, 1].map((node) => ours.client(node)))
    ours.ensemble.node(1).isolate()
    const [ping, read, write, synced] = [
      outcome(clients[0]!.ping()),
      outcome(clients[1]!.read('exists', '/')),
      outcome(clients[2]!.create('/a')),
      outcome(sync(clients[3]!)),
    ]
    await ours.clock.advance(detectMs - 1)
    expect([ping(), read(), write(), synced()]).toMatchObject([
      { code: 0 },
      { code: 0 },
      'pending',
      'pending',
    ])
    expect(ours.ensemble.tree().has('/a')).toBe(false)
  })

  it('lets nobody in: neither who is new, nor who was there', async () => {
    const client = await ours.client(1)
    ours.ensemble.node(1).isolate()
    const greetings = [
      outcome((await ours.stranger(1)).hello()),
      outcome((await ours.stranger(1)).hello(client.grant)),
    ]
    await ours.clock.advance(detectMs - 1)
    const before = greetings.map((greeting) => greeting())
    await ours.clock.advance(1)
    expect([before, greetings.map((greeting) => greeting())]).toEqual([
      ['pending', 'pending'],
      [undefined, undefined],
    ])
  })

  it('does not keep a session alive that it goes on answering', async () => {
    const [holder, rival] = [await ours.client(1), await ours.client(2, { timeoutMs: 40_000 })]
    await holder.create('/lock', { flags: 1 })
    ours.ensemble.node(1).isolate()
    for (let i = 0; i < 6; i += 1) {
      await ours.clock.advance(1_000)
      await holder.ping()
    }
    expect(codeOf(await rival.create('/lock', { flags: 1 }))).toBe(0)
    expect(codeOf(await holder.ping())).toBe(0)
    expect(codeOf(await holder.read('exists', '/lock'))).toBe(0)
  })

  it('leaves its clients when it has noticed, and serves again when it hears the others', async () => {
    const client = await ours.client(1, { timeoutMs: 40_000 })
    ours.ensemble.node(1).isolate()
    await ours.clock.advance(detectMs)
    expect([client.isEnded, await (await ours.stranger(1)).hello()]).toEqual([true, undefined])
    ours.ensemble.node(1).recover()
    expect((await ours.client(1, client.grant)).grant.sessionId).toBe(client.grant.sessionId)
  })

  it('hands on what it was asked when it hears the leader again in time', async () => {
    const client = await ours.client(1)
    ours.ensemble.node(1).isolate()
    const write = outcome(client.create('/a'))
    await ours.clock.advance(3_000)
    ours.ensemble.node(1).recover()
    await settle()
    expect([write(), ours.ensemble.tree().has('/a')]).toMatchObject([{ code: 0 }, true])
  })

  it('tells the leader first of all whom it has heard', async () => {
    const client = await ours.client(1)
    await ours.clock.advance(500)
    ours.ensemble.node(1).isolate()
    await client.ping()
    await ours.clock.advance(2_600)
    const before = endsAtMs()
    ours.ensemble.node(1).recover()
    expect([before, endsAtMs()]).toEqual([6_000, 8_000])
  })

  it('turns away the session that the leader has ended meanwhile', async () => {
    const client = await ours.client(1)
    ours.ensemble.node(1).isolate()
    await ours.clock.advance(6_000)
    const before = client.isEnded
    ours.ensemble.node(1).recover()
    await settle()
    expect([before, client.isEnded]).toEqual([false, true])
  })
})

describe('a leader that is cut off from the others', () => {
  it('answers syncs, for it asks nobody, and writes never', async () => {
    const [one, other] = [await ours.client(3), await ours.client(3)]
    ours.ensemble.node(3).isolate()
    expect(codeOf(await sync(one))).toBe(0)
    const write = outcome(other.create('/a'))
    await ours.clock.advance(detectMs - 1)
    expect(write()).toBe('pending')
    await ours.clock.advance(1)
    expect([write(), one.isEnded]).toEqual([undefined, true])
  })
})

it('a session that is elsewhere is denied to who syncs where it was', async () => {
  const client = await ours.client(1)
  await ours.client(2, client.grant)
  expect(await sync(client)).toBeUndefined()
})

it('a node that lags shows what is due when a sum of times is a hair short of it', async () => {
  const [lagMs, atMs, laterMs] = [7.7, 0.1, 1]
  const client = await ours.client(1)
  ours.ensemble.node(2).lagMs = lagMs
  await ours.clock.advance(atMs)
  const { zxid } = (await client.create('/a'))!
  await ours.clock.advance(laterMs)
  ours.ensemble.node(2).lagMs = lagMs
  await ours.clock.advance(atMs + lagMs - (atMs + laterMs))
  expect(ours.ensemble.node(2).lastZxid).toBe(zxid)
})
