import { settle } from '@ha/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { JuteWriter } from '../../src/zookeeper/wire/records.ts'
import { type MemoryEnsemble, startMemoryEnsemble } from './memory-ensemble.ts'
import { RawClient } from './raw-client.ts'
import { codeOf, dataOf } from './scenarios/comparable-stat.ts'

const electionMs = 200
const detectMs = 10_000
// What a node that stood still needs to hear of the others.
const noticeMs = 25

let ours: MemoryEnsemble
beforeEach(async () => {
  ours = await startMemoryEnsemble({
    electionMs,
    detectMs,
    minSessionTimeoutMs: 1,
    maxSessionTimeoutMs: 100_000,
  })
})
afterEach(() => ours.ensemble.close())

function patient(node: number): ReturnType<MemoryEnsemble['client']> {
  return ours.client(node, { timeoutMs: 100_000 })
}

/** What came of something so far. */
function outcome<T>(promise: Promise<T>): { readonly value: () => T | 'pending' } {
  let value: T | 'pending' = 'pending'
  void promise.then((settled) => {
    value = settled
  })
  return { value: () => value }
}

function sync(client: RawClient): ReturnType<RawClient['ask']> {
  return client.ask('sync', new JuteWriter().text('/'))
}

describe('a fake ensemble', () => {
  it('is led by the node with the highest number', () => {
    expect(ours.ensemble.nodes.map((node) => node.role)).toEqual(['follower', 'follower', 'leader'])
  })

  it('counts on from one transaction to the next, and anew with each leader', async () => {
    const client = await patient(1)
    const before = (await client.create('/a'))!.zxid
    const after = (await client.create('/b'))!.zxid
    await ours.ensemble.node(3).kill()
    await ours.clock.advance(electionMs)
    const later = (await (await patient(1)).create('/c'))!.zxid
    expect([after - before, later >> 32n]).toEqual([1n, 2n])
  })

  it('remembers what was agreed upon, and by whom', async () => {
    const client = await patient(1)
    await client.create('/a')
    await client.create('/a')
    const changes = ours.ensemble
      .history()
      .map((txn) => txn.changes.map(({ kind, path }) => `${kind} ${path}`))
    expect(changes).toEqual([[], ['created /a'], []])
    expect(ours.ensemble.history().at(-1)?.session).toBe(client.grant.sessionId)
  })
})

describe('when the leader is killed', () => {
  it('all clients are dropped, and the next leader knows everything', async () => {
    const [one, three] = [await patient(1), await patient(3)]
    await one.create('/a')
    await ours.ensemble.node(3).kill()
    await settle()
    expect([one.heard.at(-1), three.heard.at(-1)]).toEqual(['end', 'ECONNRESET'])
    await ours.clock.advance(electionMs)
    const again = await ours.client(1, one.grant)
    expect([ours.ensemble.leader?.number, codeOf(await again.read('exists', '/a'))]).toEqual([2, 0])
  })

  it('nobody is served until there is another', async () => {
    await ours.ensemble.node(3).kill()
    const client = await ours.stranger(1)
    expect(await client.hello()).toBeUndefined()
  })

  it('it follows when it comes back', async () => {
    await ours.ensemble.node(3).kill()
    await ours.clock.advance(electionMs)
    await (await patient(1)).create('/a')
    await ours.ensemble.node(3).start()
    const client = await patient(3)
    expect([ours.ensemble.node(3).role, codeOf(await client.read('exists', '/a'))]).toEqual(['follower', 0])
  })
})

describe('without a majority', () => {
  it('nodes drop their clients, and serve again when it is back', async () => {
    const client = await patient(1)
    await ours.ensemble.node(2).stop()
    await ours.ensemble.node(3).stop()
    await settle()
    expect([client.isEnded, ours.ensemble.leader]).toEqual([true, undefined])
    await ours.ensemble.node(2).start()
    await ours.clock.advance(electionMs)
    expect((await ours.client(1, client.grant)).grant.sessionId).toBe(client.grant.sessionId)
  })

  it('a node that is isolated drops its clients when it has noticed', async () => {
    const client = await patient(1)
    ours.ensemble.node(1).isolate()
    await ours.clock.advance(detectMs - 1)
    expect(client.isEnded).toBe(false)
    await ours.clock.advance(1)
    expect([client.isEnded, ours.ensemble.node(1).role]).toEqual([true, 'looking'])
    ours.ensemble.node(1).recover()
    expect(ours.ensemble.node(1).role).toBe('follower')
  })

  it('a write of an isolated leader never happens', async () => {
    const client = await patient(3)
    ours.ensemble.node(3).isolate()
    const write = outcome(client.create('/a'))
    await ours.clock.advance(detectMs + electionMs)
    expect([write.value(), ours.ensemble.tree().has('/a')]).toEqual([undefined, false])
  })
})

describe('a node that is frozen', () => {
  it('says nothing, and afterwards answers what it was asked', async () => {
    const client = await patient(1)
    ours.ensemble.node(1).freeze()
    const ping = outcome(client.ping())
    await ours.clock.advance(5_000)
    expect(ping.value()).toBe('pending')
    ours.ensemble.node(1).thaw()
    await settle()
    expect(ping.value()).toMatchObject({ code: 0 })
  })

  it('accepts who connects, and greets nobody', async () => {
    ours.ensemble.node(1).freeze()
    const client = await ours.stranger(1)
    const grant = outcome(client.hello())
    await ours.clock.advance(5_000)
    expect([grant.value(), ours.ensemble.node(1).connections.length]).toEqual(['pending', 1])
  })

  it('knows only what it knew when it goes on, and then hears the others', async () => {
    const [one, two] = [await patient(1), await patient(2)]
    await one.create('/a', { data: Buffer.from('old') })
    ours.ensemble.node(1).freeze()
    const read = one.read('get-data', '/a', true)
    await two.set('/a', 'new')
    ours.ensemble.node(1).thaw()
    expect(dataOf(await read)).toMatchObject(['old', {}])
    await ours.clock.advance(noticeMs - 1)
    expect(one.news).toEqual([])
    await ours.clock.advance(1)
    expect(one.news).toEqual(['changed /a'])
  })

  it('drops its clients when the others have given it up', async () => {
    const client = await patient(1)
    ours.ensemble.node(1).freeze()
    await ours.clock.advance(detectMs)
    ours.ensemble.node(1).thaw()
    expect(codeOf(await client.ping())).toBe(0)
    await ours.clock.advance(noticeMs)
    expect([client.isEnded, ours.ensemble.node(1).role]).toEqual([true, 'follower'])
  })

  it('drops its clients when the leader is lost before it hears the others again', async () => {
    const client = await patient(1)
    ours.ensemble.node(1).freeze()
    ours.ensemble.node(1).thaw()
    await ours.ensemble.node(3).kill()
    const write = outcome(client.create('/a'))
    await ours.clock.advance(electionMs + noticeMs)
    expect([client.isEnded, write.value(), ours.ensemble.node(1).role]).toEqual([true, undefined, 'follower'])
  })

  it('comes up again after it was killed, and serves', async () => {
    ours.ensemble.node(1).freeze()
    await ours.ensemble.node(1).kill()
    await ours.ensemble.node(1).start()
    expect((await patient(1)).isEnded).toBe(false)
  })

  it('keeps writes waiting when it leads, and does them when it goes on in time', async () => {
    const client = await patient(1)
    ours.ensemble.node(3).freeze()
    const write = outcome(client.create('/a'))
    await ours.clock.advance(detectMs - 1)
    expect(write.value()).toBe('pending')
    ours.ensemble.node(3).thaw()
    await settle()
    expect(write.value()).toMatchObject({ code: 0 })
  })

  it('is followed by another leader, and its writes never happen', async () => {
    const [one, three] = [await patient(1), await patient(3)]
    ours.ensemble.node(3).freeze()
    const writes = [outcome(one.create('/a')), outcome(three.create('/b'))]
    await ours.clock.advance(detectMs + electionMs)
    ours.ensemble.node(3).thaw()
    await ours.clock.advance(noticeMs)
    expect(writes.map((write) => write.value())).toEqual([undefined, undefined])
    expect([ours.ensemble.leader?.number, ours.ensemble.node(3).role]).toEqual([2, 'follower'])
    expect(['/a', '/b'].map((path) => ours.ensemble.tree().has(path))).toEqual([false, false])
  })
})

describe('a network that is cut', () => {
  it('carries nothing in either direction, and then all of it', async () => {
    const [one, two] = [await patient(1), await patient(2)]
    await one.create('/a')
    await one.read('get-data', '/a', true)
    ours.ensemble.node(1).cut()
    const ping = outcome(one.ping())
    await two.set('/a', 'x')
    await ours.clock.advance(5_000)
    expect([ping.value(), one.news, one.isEnded]).toEqual(['pending', [], false])
    ours.ensemble.node(1).heal()
    await settle()
    expect([ping.value(), one.news]).toMatchObject([{ code: 0 }, ['changed /a']])
  })

  it('does not keep a session alive, and tells of its end when it is whole again', async () => {
    const client = await ours.client(1, { timeoutMs: 1_000 })
    ours.ensemble.node(1).cut()
    await ours.clock.advance(4_000)
    expect([ours.ensemble.sessions().length, client.isEnded]).toEqual([0, false])
    ours.ensemble.node(1).heal()
    await settle()
    expect(client.isEnded).toBe(true)
  })

  it('lets who dials wait until it is whole again, or until he gives up', async () => {
    const node = ours.ensemble.node(1)
    node.cut()
    const leaving = new AbortController()
    const dials = [node.dial(new AbortController().signal), node.dial(leaving.signal)] as const
    leaving.abort(new Error('enough'))
    await expect(dials[1]).rejects.toThrow('enough')
    node.heal()
    expect((await new RawClient(await dials[0]).hello())?.timeoutMs).toBe(10_000)
  })
})

describe('a node that refuses', () => {
  it('lets nobody in, and nobody out', async () => {
    const client = await patient(1)
    await ours.ensemble.node(1).refuse()
    await expect(ours.stranger(1)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    expect(codeOf(await client.ping())).toBe(0)
    await ours.ensemble.node(1).admit()
    expect((await patient(1)).isEnded).toBe(false)
  })
})

describe('a node that lags', () => {
  it('shows what was, until it is asked to catch up', async () => {
    const [one, two] = [await patient(1), await patient(2)]
    ours.ensemble.node(2).lagMs = 1_000
    await one.create('/a')
    expect(codeOf(await two.read('exists', '/a'))).toBe(-101)
    const synced = outcome(sync(two))
    await ours.clock.advance(999)
    expect(synced.value()).toBe('pending')
    await ours.clock.advance(1)
    expect([synced.value(), codeOf(await two.read('exists', '/a'))]).toMatchObject([{ code: 0 }, 0])
  })

  it('shows its own clients what they have written', async () => {
    const two = await patient(2)
    ours.ensemble.node(2).lagMs = 1_000
    const write = outcome(two.create('/a'))
    await ours.clock.advance(999)
    expect(write.value()).toBe('pending')
    await ours.clock.advance(1)
    expect([write.value(), codeOf(await two.read('exists', '/a'))]).toMatchObject([{ code: 0 }, 0])
  })

  it('turns away who has seen more, and applies what it kept back when it is let', async () => {
    const one = await patient(1)
    ours.ensemble.node(2).lagMs = Number.POSITIVE_INFINITY
    const { zxid } = (await one.create('/a'))!
    const client = await ours.stranger(2)
    expect(await client.hello({ lastZxidSeen: zxid })).toBeUndefined()
    ours.ensemble.node(2).lagMs = 0
    expect(ours.ensemble.node(2).lastZxid).toBe(zxid)
  })
})

it('a fake ensemble that is closed leaves no timer behind', async () => {
  const client = await ours.client(1)
  await client.create('/c', { op: 'create-container', flags: 4 })
  ours.ensemble.node(2).lagMs = 500
  await client.create('/a')
  ours.ensemble.node(3).freeze()
  await ours.ensemble.close()
  expect(ours.clock.pending).toBe(0)
})
