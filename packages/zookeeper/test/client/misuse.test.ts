import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { createZookeeper } from '../../src/client.ts'
import { type ClientHarness, openClientHarness, settledWithin } from '../client-harness.ts'

let harness: ClientHarness
let zk: Zookeeper

beforeAll(async () => {
  harness = await openClientHarness()
  zk = harness.client()
  await settledWithin(harness.clock, 2_000, zk.create('/a', 'x'))
})
afterAll(() => harness[Symbol.asyncDispose]())

const wrong: readonly unknown[] = [
  undefined,
  null,
  Number.NaN,
  '',
  5,
  {},
  [],
  true,
  Symbol('x'),
  () => undefined,
]

type Call = (...given: never[]) => unknown

/** Each call with good arguments, and the arguments that may be left out. */
const calls: Readonly<
  Record<string, { call: () => Call; good: readonly unknown[]; optional: readonly number[] }>
> = {
  create: { call: () => zk.create.bind(zk), good: ['/c', 'x', {}], optional: [1, 2] },
  get: { call: () => zk.get.bind(zk), good: ['/a', {}], optional: [1] },
  exists: { call: () => zk.exists.bind(zk), good: ['/a', {}], optional: [1] },
  children: { call: () => zk.children.bind(zk), good: ['/a', {}], optional: [1] },
  set: { call: () => zk.set.bind(zk), good: ['/a', 'x', {}], optional: [2] },
  delete: { call: () => zk.delete.bind(zk), good: ['/c', {}], optional: [1] },
  multi: {
    call: () => zk.multi.bind(zk),
    good: [[{ kind: 'set', path: '/a', data: '' }], {}],
    optional: [1],
  },
  sync: { call: () => zk.sync.bind(zk), good: ['/a', {}], optional: [0, 1] },
  acl: { call: () => zk.acl.bind(zk), good: ['/a', {}], optional: [1] },
  setAcl: {
    call: () => zk.setAcl.bind(zk),
    good: [
      '/a',
      [{ permissions: ['read', 'write', 'create', 'delete', 'admin'], scheme: 'world', id: 'anyone' }],
      {},
    ],
    optional: [2],
  },
  watch: { call: () => zk.watch.bind(zk), good: ['/a', { kind: 'data' }], optional: [] },
  watchRecursive: { call: () => zk.watchRecursive.bind(zk), good: ['/a', {}], optional: [1] },
  ready: { call: () => zk.ready.bind(zk), good: [{}], optional: [0] },
  probe: { call: () => zk.probe.bind(zk), good: [{}], optional: [0] },
  cache: { call: () => zk.cache.bind(zk) as Call, good: ['/a', {}], optional: [1] },
  ephemeral: { call: () => zk.ephemeral.bind(zk), good: ['/e', 'x', {}], optional: [1, 2] },
  lock: { call: () => zk.lock.bind(zk), good: ['/l', {}], optional: [1] },
  rwLock: { call: () => zk.rwLock.bind(zk), good: ['/l', {}], optional: [1] },
  semaphore: { call: () => zk.semaphore.bind(zk), good: ['/s', 2, {}], optional: [2] },
  election: { call: () => zk.election.bind(zk), good: ['/v', { id: 'a' }], optional: [] },
  counter: { call: () => zk.counter.bind(zk), good: ['/n'], optional: [] },
  barrier: { call: () => zk.barrier.bind(zk), good: ['/b', 2], optional: [] },
  discovery: { call: () => zk.discovery.bind(zk), good: [{}], optional: [0] },
  'lock.run': { call: () => zk.lock('/l').run as Call, good: [async () => 1, {}], optional: [1] },
  'lock.acquire': { call: () => zk.lock('/l').acquire as Call, good: [{}], optional: [0] },
  'lock.tryAcquire': { call: () => zk.lock('/l').tryAcquire as Call, good: [{}], optional: [0] },
  'election.run': {
    call: () => zk.election('/v', { id: 'a' }).run as Call,
    good: [async () => undefined, {}],
    optional: [1],
  },
  'election.leader': { call: () => zk.election('/v', { id: 'a' }).leader as Call, good: [{}], optional: [0] },
  'election.observe': {
    call: () => zk.election('/v', { id: 'a' }).observe as Call,
    good: [{}],
    optional: [0],
  },
  'counter.get': { call: () => zk.counter('/n').get as Call, good: [{}], optional: [0] },
  'counter.add': { call: () => zk.counter('/n').add as Call, good: [1, {}], optional: [1] },
  'barrier.enter': { call: () => zk.barrier('/b', 2).enter as Call, good: [{}], optional: [0] },
  'discovery.register': {
    call: () => zk.discovery().register as Call,
    good: [{ name: 's', address: 'h' }, {}],
    optional: [1],
  },
  'discovery.service': { call: () => zk.discovery().service as Call, good: ['s', {}], optional: [1] },
}

function isData(name: string, value: unknown): boolean {
  if (!['set', 'create', 'ephemeral'].includes(name)) return false
  const isFunction = typeof value === 'function' && name === 'ephemeral'
  return isFunction || value === undefined || value === null || typeof value === 'string'
}

// What is a right value in its place.
function isRight(name: string, position: number, value: unknown, optional: readonly number[]): boolean {
  if (value === undefined && optional.includes(position)) return true
  const { good } = calls[name]!
  const sample = good[position]
  if (typeof sample === 'function') return typeof value === 'function'
  if (typeof sample === 'string') return position === 1 && isData(name, value)
  if (typeof sample === 'number') return value === 5
  if (Array.isArray(sample)) return false
  const isEmptySample = Object.keys(sample as object).length === 0
  return isEmptySample && typeof value === 'object' && value !== null
}

describe('a wrong argument', () => {
  it.each(Object.keys(calls))('of %s is refused at the door, and nothing is sent', async (name) => {
    const { good, optional } = calls[name]!
    for (const position of good.keys())
      for (const value of wrong)
        if (!isRight(name, position, value, optional)) await refuses(name, position, value)
  })

  async function refuses(name: string, position: number, value: unknown): Promise<void> {
    const { call, good } = calls[name]!
    const given = good.map((each, index) => (index === position ? value : each))
    const before = harness.ensemble.log.entries().filter(({ op }) => op !== 'ping').length
    const made: Record<string, () => unknown> = {
      'lock.run': () => zk.lock('/l'),
      'lock.acquire': () => zk.lock('/l'),
      'lock.tryAcquire': () => zk.lock('/l'),
      'election.run': () => zk.election('/v', { id: 'a' }),
      'discovery.register': () => zk.discovery(),
      'discovery.service': () => zk.discovery(),
      'barrier.enter': () => zk.barrier('/b', 2),
    }
    const self = made[name]?.()
    const work = (async () => {
      const result = await call().apply(self as never, given as never[])
      return Symbol.asyncIterator in Object(result) ? (result as AsyncGenerator).next() : result
    })()

    await expect(
      settledWithin(harness.clock, 100, work),
      `${name} ${position} ${String(value)}`,
    ).rejects.toMatchObject({
      name: 'ZookeeperError',
      code: expect.stringMatching(/^(config-invalid|invalid-path|invalid-acl)$/),
      outcome: 'not-done',
    })
    expect(harness.ensemble.log.entries().filter(({ op }) => op !== 'ping')).toHaveLength(before)
  }

  it.each(wrong.filter((value) => value !== undefined).map((value) => [value]))(
    'in the place of an option is refused: %o',
    async (value) => {
      const options: Record<string, (value: never) => unknown> = {
        sequential: (sequential) => zk.create('/x', '', { sequential }),
        protect: (protect) => zk.create('/x', '', { protect }),
        parents: (parents) => zk.create('/x', '', { parents }),
        kind: (kind) => zk.create('/x', '', { kind }),
        repeatable: (repeatable) => zk.set('/x', '', { repeatable }),
        recursive: (recursive) => zk.delete('/x', { recursive }),
        signal: (signal) => zk.get('/x', { signal }),
        change: (change) => zk.multi([change]),
        'path of a change': (path) => zk.multi([{ kind: 'delete', path }]),
      }
      for (const [name, call] of Object.entries(options)) {
        if (value === true && ['sequential', 'protect', 'parents', 'repeatable', 'recursive'].includes(name))
          continue
        await expect(
          settledWithin(harness.clock, 100, (async () => call(value as never))()),
          name,
        ).rejects.toMatchObject({ code: expect.stringMatching(/^(config-invalid|invalid-path)$/) })
      }
    },
  )

  it.each(wrong.map((value) => [value]))('of createZookeeper is refused: %o', (value) => {
    expect(() => createZookeeper(value as never)).toThrow(expect.objectContaining({ code: 'config-invalid' }))
  })

  it('of a registration, a view and an ephemeral is refused', async () => {
    const registration = zk.discovery().register({ name: 'misused', id: 'a', address: 'h' })
    const view = zk.discovery().service('misused')
    const ephemeral = zk.ephemeral('/misused', 'x')
    const refused = { code: 'config-invalid', name: 'ZookeeperError' }
    await settledWithin(
      harness.clock,
      2_000,
      Promise.all([registration.ready(), view.ready(), ephemeral.ready()]),
    )
    const instance = view.pick()
    for (const value of [null, 5, '', Number.NaN, true]) {
      await expect(registration.update(value as never)).rejects.toMatchObject(refused)
      await expect(registration.ready(value as never)).rejects.toMatchObject(refused)
      await expect(view.ready(value as never)).rejects.toMatchObject(refused)
      await expect(ephemeral.ready(value as never)).rejects.toMatchObject(refused)
      await expect(ephemeral.update('x', value as never)).rejects.toMatchObject(refused)
      expect(() => view.report(value as never, 'ok')).toThrow(expect.objectContaining(refused))
      expect(() => view.report(instance!, value as never)).toThrow(expect.objectContaining(refused))
      if (value !== '') expect(() => view.pick(value as never)).toThrow(expect.objectContaining(refused))
    }
    await settledWithin(harness.clock, 2_000, ephemeral.close(null as never))
  })
})
