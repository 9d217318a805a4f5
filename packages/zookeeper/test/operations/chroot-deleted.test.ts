import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type ClientHarness, openClientHarness, settledWithin } from '../client-harness.ts'

let harness: ClientHarness
let operator: Zookeeper

beforeEach(async () => {
  harness = await openClientHarness()
  operator = harness.client()
})
afterEach(() => harness[Symbol.asyncDispose]())

const within = <T>(work: Promise<T>, ms = 6_000): Promise<T> => settledWithin(harness.clock, ms, work)
const service = (ensureChroot = true): Zookeeper =>
  harness.client({ connect: `${harness.ensemble.connectString}/shop/eu`, ensureChroot })

describe('a chroot that is deleted while the client runs with ensureChroot', () => {
  it('is there again, with the registrations, and calls below it work', async () => {
    const zk = service()
    const registration = zk.discovery().register({ name: 'gw', id: 'gw-1', address: '10.0.0.7' })
    await within(registration.ready())
    await within(operator.delete('/shop', { recursive: true }), 20_000)
    await harness.clock.advance(5_000)

    expect(harness.ensemble.tree().has('/shop/eu/services/gw/gw-1')).toBe(true)
    expect(registration.state.kind).toBe('registered')
  })

  it('is there again within seconds, also when the client only reads', async () => {
    const zk = service()
    await within(zk.get('/config'))
    await within(operator.delete('/shop', { recursive: true }))
    expect(harness.ensemble.tree().has('/shop')).toBe(false)
    await harness.clock.advance(3_000)

    expect(harness.ensemble.tree().has('/shop/eu')).toBe(true)
  })

  const makings: Readonly<Record<string, (zk: Zookeeper) => Promise<unknown>>> = {
    create: (zk) => zk.create('/a'),
    'create with parents': (zk) => zk.create('/a/b/c', '', { parents: true }),
    'create of a sequential node': (zk) => zk.create('/a-', '', { sequential: true }),
    multi: (zk) => zk.multi([{ kind: 'create', path: '/a' }]),
    lock: (zk) => zk.lock('/locks/a').run(async () => 'held'),
    counter: (zk) => zk.counter('/c').add(1),
    semaphore: (zk) => zk.semaphore('/s', 2).acquire(),
    barrier: (zk) => zk.barrier('/b', 1).enter(),
  }
  it.each(Object.keys(makings))('does not fail a %s that comes before the chroot is back', async (name) => {
    const zk = service()
    await within(zk.ready())
    await within(operator.delete('/shop', { recursive: true }))

    await within(makings[name]!(zk), 500)
  })

  it('ends the leases that were held below it, and the lock can be had again', async () => {
    const zk = service()
    const lease = await within(zk.lock('/l').acquire())
    await within(operator.delete('/shop', { recursive: true }))
    await harness.clock.advance(1_000)
    expect([lease.valid(), lease.signal.aborted]).toEqual([false, true])

    expect((await within(zk.lock('/l').acquire())).valid()).toBe(true)
  })

  it('is created a second time by a person, with data, and the data stay', async () => {
    const zk = service()
    await within(zk.create('/a'))
    await within(operator.delete('/shop', { recursive: true }))
    await within(operator.create('/shop/eu', 'theirs', { parents: true }), 500)
    await harness.clock.advance(10_000)
    await within(zk.create('/a'))

    expect((await within(operator.get('/shop/eu')))?.data.toString()).toBe('theirs')
  })

  it('says what refuses it when it cannot be created again, and goes on trying with growing pauses', async () => {
    const zk = service()
    const defects: string[] = []
    zk.events.on('defect', ({ where }) => void defects.push(where))
    await within(zk.get('/config'))
    await within(operator.delete('/shop', { recursive: true }))
    const allow = harness.ensemble.script({
      when: { op: 'create2', path: '/shop/eu' },
      do: 'refuse',
      code: -102,
    })
    await expect(within(zk.create('/a'))).rejects.toMatchObject({
      code: 'no-auth',
      message: expect.stringMatching(/^(?!.*pass ensureChroot)/),
    })
    await harness.clock.advance(600_000)
    const tried = harness.ensemble.log.entries({ path: '/shop/eu' }).filter(({ op }) => op === 'create2')
    expect(tried.length).toBeLessThan(25)
    expect(defects).toEqual(['creating the chroot again'])
    allow()
    await harness.clock.advance(70_000)

    expect(harness.ensemble.tree().has('/shop/eu')).toBe(true)
  })
})

describe('a chroot that is missing without ensureChroot', () => {
  it('is asked for with growing pauses, and registrations are back once a person has made it', async () => {
    const zk = service(false)
    await within(operator.create('/shop/eu', '', { parents: true }))
    const registration = zk.discovery().register({ name: 'gw', id: 'gw-1', address: '10.0.0.7' })
    await within(registration.ready())
    await within(operator.delete('/shop', { recursive: true }), 20_000)
    await harness.clock.advance(60_000)
    expect(registration.state).toMatchObject({ kind: 'pending', reason: { code: 'config-invalid' } })
    const before = harness.ensemble.log.entries().filter(({ op }) => op.startsWith('create')).length
    await harness.clock.advance(600_000)
    const after = harness.ensemble.log.entries().filter(({ op }) => op.startsWith('create')).length
    expect(after - before).toBeLessThan(40)
    await within(operator.create('/shop/eu', '', { parents: true }))
    await harness.clock.advance(70_000)

    expect(registration.state.kind).toBe('registered')
  })
})
