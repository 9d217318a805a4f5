import { type ConnectRequest, encodeEvent, type FakeEnsemble } from '@ha/testing/zookeeper'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { nextXid } from '../../src/connection/in-flight.ts'
import { type ClientHarness, openClientHarness, settledWithin } from '../client-harness.ts'
import { defects, longData, oddEvents, titleOf, youngCodes } from './defects.ts'

const sessionMs = 4_000
const second = 1_000

describe('ours never', () => {
  let harness: ClientHarness
  let ensemble: FakeEnsemble
  let zk: Zookeeper

  beforeEach(async () => {
    harness = await openClientHarness({ nodes: 1 })
    ensemble = harness.ensemble
    zk = harness.client()
  })
  afterEach(() => harness[Symbol.asyncDispose]())

  const done = <T>(promise: Promise<T>, ms = 30 * second): Promise<T> =>
    settledWithin(harness.clock, ms, promise)
  const failure = (promise: Promise<unknown>): Promise<unknown> =>
    done(
      promise.then(
        () => 'nothing failed',
        (error: unknown) => error,
      ),
    )
  const dropAll = (): void => {
    for (const line of ensemble.node(1).connections) line.drop()
  }
  const watchingAll = (paths: readonly string[], client = zk) =>
    paths.map((path) => {
      const events = client.watch(path, { kind: 'exists' })
      events.next().catch(() => undefined)
      return events
    })

  it(titleOf(defects.silentServer), async () => {
    await done(zk.ready())
    defects.silentServer.arrange(ensemble)
    await harness.clock.advance((sessionMs * 2) / 3)
    expect(zk.state).toBe('suspended')
  })

  it(titleOf(defects.silentHandshake), async () => {
    await defects.silentHandshake.arrange(ensemble)
    expect(await failure(zk.ready({ timeoutMs: 10 * second }))).toMatchObject({ code: 'timed-out' })
    expect(ensemble.accepted).toBeGreaterThan(2)
  })

  it(titleOf(defects.busyNews), async () => {
    const { id } = await done(zk.ready())
    ensemble.log.clear()
    for (let passed = 0; passed < 3 * sessionMs; passed += 20) {
      for (const line of ensemble.node(1).connections) line.inject(encodeEvent(3, '/nobody-watches-this'))
      await harness.clock.advance(20)
    }
    expect(ensemble.log.count({ session: id })).toBeGreaterThanOrEqual(8)
    expect(zk.session?.id).toBe(id)
  })

  it(titleOf(defects.cutInFrame), async () => {
    await done(zk.create('/a', longData))
    await defects.cutInFrame.arrange(ensemble)
    expect((await done(zk.get('/a')))?.data).toEqual(longData)
  })

  it.each(youngCodes)(`${titleOf(defects.youngCode)}: %i`, async (code) => {
    await done(zk.ready())
    await defects.youngCode.arrange(ensemble)
    const settled = await failure(zk.get(`/${code}`, { timeoutMs: second }))
    expect(settled).toMatchObject({ name: 'ZookeeperError', path: `/${code}` })
    expect(await done(zk.exists('/none'))).toBeUndefined()
  })

  it.each(oddEvents)(`${titleOf(defects.oddEvent)}: %i`, async (type) => {
    await done(zk.ready())
    await defects.oddEvent.arrange(ensemble)
    expect(await done(zk.get(`/${type}`))).toBeUndefined()
    expect({ state: zk.state, accepted: ensemble.accepted }).toEqual({ state: 'connected', accepted: 1 })
  })

  it(titleOf(defects.unsentAtExpiry), async () => {
    await defects.unsentAtExpiry.arrange(ensemble)
    const settled = await failure(zk.get('/a', { timeoutMs: second }))
    expect(settled).toMatchObject({ code: 'timed-out', outcome: 'not-done' })
  })

  it(titleOf(defects.noDeadline), async () => {
    await defects.noDeadline.arrange(ensemble)
    const client = harness.client({ maxOperations: 10 })
    const all = Array.from({ length: 20 }, () => client.get('/a', { timeoutMs: second }))
    const codes = (await done(Promise.allSettled(all))).map(
      (each) => each.status === 'rejected' && each.reason.code,
    )
    expect(codes).toEqual([...Array(10).fill('timed-out'), ...Array(10).fill('exhausted')])
  })

  it(titleOf(defects.acceptThenClose), async () => {
    const client = harness.client({ auth: [{ scheme: 'digest', value: 'a:b' }] })
    await done(client.ready())
    watchingAll(['/w'], client)
    await harness.clock.advance(100)
    await defects.acceptThenClose.arrange(ensemble)
    await harness.clock.advance(10 * second)
    const { connection } = ensemble.log.entries({ op: 'set-watches' }).at(-1) ?? {}
    expect(ensemble.log.operations({ connection: connection ?? 0 }).slice(0, 4)).toEqual([
      'accept',
      'connect',
      'auth',
      'set-watches',
    ])
    expect([ensemble.log.count({ op: 'set-watches' }), ensemble.log.count({ op: 'auth' })]).toEqual([1, 2])
  })

  it(titleOf(defects.loginLate), async () => {
    const client = harness.client({ auth: [{ scheme: 'digest', value: 'a:b' }] })
    await done(client.create('/a'))
    expect(ensemble.log.operations()).toEqual(['accept', 'connect', 'auth', 'create2'])
  })

  it(titleOf(defects.lossBeforeState), async () => {
    await done(zk.ready())
    await defects.lossBeforeState.arrange(ensemble)
    let asked = 0
    const asking = (async () => {
      for (; asked < 1_000 && harness.clock.now() < 3 * second; asked++)
        await zk.get('/a', { timeoutMs: 500 }).catch(() => undefined)
    })()
    await done(asking)
    expect(asked).toBeLessThan(20)
  })

  it(titleOf(defects.manyWatches), async () => {
    await done(zk.ready())
    watchingAll(Array.from({ length: 1_100 }, (_, n) => `/${'a-long-name-'.repeat(10)}${n}`))
    await harness.clock.advance(second)
    dropAll()
    await harness.clock.advance(second)
    const sizes = ensemble.log.entries({ op: 'set-watches' }).map(({ bytes }) => bytes)
    expect(sizes).toHaveLength(2)
    expect(Math.max(...sizes)).toBeLessThan(129 * 1024)
  })

  it(titleOf(defects.versionZero), async () => {
    await done(zk.create('/a'))
    await done(zk.set('/a', 'x'))
    const changes = [{ kind: 'set', path: '/a', data: 'y', version: 0 }] as const
    expect(await failure(zk.multi(changes))).toMatchObject({ code: 'bad-version' })
  })

  it(titleOf(defects.noData), async () => {
    await done(zk.create('/a', 'x'))
    await done(zk.set('/a', null as unknown as string))
    expect((await done(zk.get('/a')))?.data).toHaveLength(0)
  })

  it(titleOf(defects.numbers), async () => {
    await done(zk.create('/a'))
    await done(zk.get('/a'))
    const numbers = ensemble.log.entries({ path: '/a' }).map(({ xid }) => xid)
    expect({ numbers, behindTheLast: nextXid(0x7fff_ffff) }).toEqual({ numbers: [1, 2], behindTheLast: 1 })
  })

  it(titleOf(defects.close), async () => {
    await done(zk.close())
    const client = harness.client()
    const connecting = failure(client.ready())
    await done(Promise.all([client.close(), client.close()]))
    expect(await connecting).toMatchObject({ code: 'closed' })
  })

  it(titleOf(defects.oneStateForAll), async () => {
    const { id } = await done(zk.ready())
    const states: string[] = []
    zk.events.on('state', ({ state }) => void states.push(state))
    await defects.oneStateForAll.arrange(ensemble)
    ensemble.expire(id)
    dropAll()
    await harness.clock.advance(second)
    await done(zk.close())
    expect(states).toEqual(['suspended', 'lost', 'closed'])
  })

  it(titleOf(defects.unprotectedCreate), async () => {
    await done(zk.create('/q'))
    // The client uses newer requests.
    ensemble.script({ when: { op: 'create2', times: 1 }, do: 'cut', how: 'end', at: 'unanswered' })
    const { path } = await done(zk.create('/q/n-', '', { sequential: true }))
    expect((await done(zk.children('/q')))?.names).toEqual([path.slice('/q/'.length)])
  })

  it(titleOf(defects.throwingWatcher), async () => {
    await done(zk.create('/a'))
    const cache = zk.cache('/a')
    cache.onChange(() => {
      throw new Error('a listener of a user')
    })
    await done(cache.ready())
    await defects.throwingWatcher.arrange(ensemble)
    expect(await done(zk.get('/b'))).toBeUndefined()
  })

  it(titleOf(defects.manyListeners), async () => {
    await done(zk.create('/a'))
    const all = watchingAll(Array.from({ length: 100 }, () => '/a'))
    await harness.clock.advance(100)
    const watched = { server: ensemble.node(1).watchCount('data'), ours: zk.health().watches }
    await done(zk.set('/a', 'x'))
    await harness.clock.advance(100)
    await done(Promise.all(all.map((events) => events.return())))
    await harness.clock.advance(100)
    expect(watched).toEqual({ server: 1, ours: 1 })
    expect({ server: ensemble.node(1).watchCount('data'), ours: zk.health().watches }).toEqual({
      server: 0,
      ours: 0,
    })
  })

  it(titleOf(defects.ephemeralParents), async () => {
    await done(zk.create('/p/q/e', '', { kind: 'ephemeral', parents: true }))
    const owners = await done(Promise.all(['/p', '/p/q'].map((path) => zk.exists(path))))
    expect(owners.map((stat) => stat?.ephemeralOwner)).toEqual([0n, 0n])
  })

  it(titleOf(defects.anyZxid), async () => {
    const { stat } = await done(zk.create('/a'))
    await defects.anyZxid.arrange(ensemble)
    await done(zk.get('/b'))
    dropAll()
    await harness.clock.advance(second)
    const request = ensemble.log.entries({ op: 'connect' }).at(-1)?.request as ConnectRequest | undefined
    expect(request?.lastZxidSeen).toBeGreaterThanOrEqual(stat.czxid)
  })

  it(titleOf(defects.steadyPace), async () => {
    await defects.steadyPace.arrange(ensemble)
    const client = harness.client({ sessionTimeoutMs: 40 * second })
    client.ready().catch(() => undefined)
    await harness.clock.advance(second)
    const inTheFirst = ensemble.accepted
    await harness.clock.advance(30 * second)
    const before = ensemble.accepted
    await harness.clock.advance(60 * second)
    expect((ensemble.accepted - before) / 60).toBeLessThan(inTheFirst / 4)
  })

  it(titleOf(defects.oldProtocol), async () => {
    await done(zk.create('/c', '', { kind: 'container' }))
    await done(zk.create('/t', '', { ttlMs: second }))
    await done(zk.sync('/c'))
    expect(ensemble.log.operations().slice(-3)).toEqual(['create-container', 'create-ttl', 'sync'])
  })
})
