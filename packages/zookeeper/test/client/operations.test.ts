import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Zookeeper } from '../../src/client.ts'
import { type Harness, openHarness } from '../harness.ts'

let harness: Harness
let zk: Zookeeper

beforeEach(async () => {
  harness = await openHarness()
  zk = harness.member().client
  await harness.inTime(zk.ready())
})
afterEach(() => harness[Symbol.asyncDispose]())

const done = <T>(promise: Promise<T>): Promise<T> => harness.inTime(promise)
const failure = (promise: Promise<unknown>): Promise<unknown> =>
  done(
    promise.then(
      () => 'nothing failed',
      (error: unknown) => error,
    ),
  )
const kindOf = (path: string): string | undefined => {
  const [request] = harness.ensemble.log.entries({ path }).filter(({ op }) => op.startsWith('create'))
  return request?.op
}

describe('versions and data', () => {
  it('takes version 0 for what it is, alone and in a multi', async () => {
    await done(zk.create('/a', 'one'))
    await done(zk.set('/a', 'two', { version: 0 }))
    expect(await failure(zk.set('/a', 'three', { version: 0 }))).toMatchObject({
      code: 'bad-version',
      path: '/a',
    })
    expect(await failure(zk.delete('/a', { version: 0 }))).toMatchObject({ code: 'bad-version' })
    const checked = zk.multi([{ kind: 'check', path: '/a', version: 0 }])
    expect(await failure(checked)).toMatchObject({ code: 'bad-version' })
    expect(await failure(zk.multi([{ kind: 'delete', path: '/a', version: 0 }]))).toMatchObject({
      code: 'bad-version',
    })
  })

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['an empty text', ''],
    ['no bytes', new Uint8Array()],
  ])('writes %s as no bytes', async (_, data) => {
    await done(zk.create('/a', 'something'))
    await done(zk.create('/b', data as string))
    await done(zk.set('/a', data as string))
    expect([(await done(zk.get('/a')))?.data.length, (await done(zk.get('/b')))?.data.length]).toEqual([0, 0])
  })

  it('refuses what no server would take in one piece, and stays connected', async () => {
    const tooLarge = 'x'.repeat(1_000_001)
    expect(await failure(zk.create('/a', tooLarge))).toMatchObject({
      code: 'too-large',
      outcome: 'not-done',
      path: '/a',
    })
    await done(zk.create('/a', tooLarge.slice(1)))
    expect(zk.state).toBe('connected')
  })
})

describe('paths', () => {
  it.each([
    ['a', 'expected a leading slash'],
    ['', 'expected a leading slash'],
    ['/a/', 'unexpected slash at the end'],
    ['/a//b', 'empty name at 3'],
    ['/a/./b', 'the name . at 3 is not allowed'],
    ['/..', 'the name .. at 1 is not allowed'],
    ['/a\u0000', 'the character U+0000 at 2 is not allowed'],
    ['/\u0085', 'the character U+0085 at 1 is not allowed'],
    [null, 'expected a text such as /app/node, got null'],
    [7, 'expected a text such as /app/node, got a number'],
    [7n, 'path a bigint: expected a text such as /app/node, got a bigint'],
    [{ toJSON: () => 7n }, 'expected a text such as /app/node, got an object'],
  ])('%o is refused before anything is sent', async (path, message) => {
    harness.ensemble.log.clear()
    const errors = [
      zk.get(path as string),
      zk.create(path as string),
      zk.set(path as string, ''),
      zk.delete(path as string),
    ]
    for (const error of await Promise.all(errors.map(failure))) {
      expect(error).toMatchObject({
        code: 'invalid-path',
        outcome: 'not-done',
        message: expect.stringContaining(message),
      })
    }
    const sent = (['get-data', 'create2', 'set-data', 'delete'] as const).map((op) =>
      harness.ensemble.log.count({ op }),
    )
    expect(sent).toEqual([0, 0, 0, 0])
  })
})

describe('several nodes in one call', () => {
  it('makes missing parents once, as persistent nodes', async () => {
    await done(zk.create('/a/b/c', 'x', { parents: true }))
    await done(zk.create('/a/b/d', 'x', { parents: true, kind: 'ephemeral' }))
    expect(['/a', '/a/b', '/a/b/c'].map(kindOf)).toEqual(['create2', 'create2', 'create2'])
    const makings = harness.ensemble.log.entries().filter(({ op }) => op === 'create2')
    // From the bottom up, until a parent is found; then down again.
    const up = ['/a/b/c', '/a/b', '/a']
    expect(makings.map(({ paths }) => paths[0])).toEqual([...up, '/a/b', '/a/b/c', '/a/b/d'])
  })

  it('deletes everything below a node, and says whether there was one', async () => {
    await done(zk.create('/a/b/c', '', { parents: true }))
    expect(await failure(zk.delete('/a'))).toMatchObject({ code: 'not-empty', path: '/a' })
    expect(await done(zk.delete('/a', { recursive: true }))).toBe(true)
    expect(await done(zk.delete('/a', { recursive: true }))).toBe(false)
    expect(await done(zk.exists('/a'))).toBeUndefined()
  })

  it('does all of a multi or nothing, and names the change that failed', async () => {
    await done(zk.create('/a', 'one'))
    const error = await failure(
      zk.multi([
        { kind: 'set', path: '/a', data: 'two' },
        { kind: 'create', path: '/b' },
        { kind: 'delete', path: '/none' },
        { kind: 'create', path: '/c' },
      ]),
    )
    expect(error).toMatchObject({ code: 'no-node', path: '/none', outcome: 'not-done' })
    expect((await done(zk.get('/a')))?.data.toString()).toBe('one')
    expect(await done(zk.exists('/b'))).toBeUndefined()
  })

  it('gives the ACL that it was told, and a time to live', async () => {
    const readers = [{ permissions: ['read'], scheme: 'world', id: 'anyone' }] as const
    await done(zk.create('/a', '', { acl: readers }))
    expect(await done(zk.acl('/a'))).toEqual(readers)
    expect(await failure(zk.set('/a', 'x'))).toMatchObject({ code: 'no-auth', path: '/a' })
    expect(await failure(zk.create('/b', '', { acl: [] }))).toMatchObject({ code: 'invalid-acl' })
    await done(zk.create('/c', '', { ttlMs: 60_000 }))
    expect(kindOf('/c')).toBe('create-ttl')
  })
})

describe('a chroot', () => {
  it('is made of several nodes, and nobody sees it from below: results, errors and events', async () => {
    const connect = `${harness.ensemble.connectString}/app/one`
    const below = harness.member({ connect, ensureChroot: true }).client
    expect(await done(below.create('/a', 'x'))).toMatchObject({ path: '/a' })
    expect(await done(below.multi([{ kind: 'create', path: '/m' }]))).toEqual([
      { kind: 'create', path: '/m' },
    ])
    expect((await done(below.children('/')))?.names).toEqual(expect.arrayContaining(['a', 'm']))
    const error = await failure(below.create('/a'))
    expect(error).toMatchObject({ code: 'node-exists', path: '/a' })
    expect(String(error)).not.toContain('/app/one')
    const told = below.watch('/a', { kind: 'data' }).next()
    await harness.clock.advance(100)
    await done(zk.set('/app/one/a', 'y'))
    expect((await done(told)).value).toEqual({ kind: 'changed', path: '/a' })
  })
})

describe('watches', () => {
  it('miss no change: whoever reads after each event ends with what is there', async () => {
    await done(zk.create('/a', '0'))
    const watcher = harness.member().client
    let last = ''
    const stop = new AbortController()
    const following = (async () => {
      for await (const _ of watcher.watch('/a', { kind: 'data', signal: stop.signal })) {
        last = String((await watcher.get('/a'))?.data)
      }
    })().catch(() => undefined)
    await harness.clock.advance(200)
    for (let n = 1; n <= 1_000; n++) {
      const written = zk.set('/a', String(n))
      if ((n * 7) % 5 === 0) await harness.clock.advance((n * 13) % 4)
      await done(written)
    }
    await harness.clock.advance(100)
    expect(last).toBe('1000')
    stop.abort()
    await harness.clock.advance(10)
    await following
  })

  it('are taken away on the server when nobody iterates any more', async () => {
    await done(zk.create('/a'))
    const events = zk.watch('/a', { kind: 'data' })
    const told = events.next()
    await harness.clock.advance(10)
    const watched = (): number =>
      harness.ensemble.nodes.reduce((sum, node) => sum + node.watchCount('data'), 0)
    const before = watched()
    await done(zk.set('/a', 'x'))
    await done(told)
    await done(events.return())
    await harness.clock.advance(10)
    expect({ before, after: watched(), known: zk.health().watches }).toEqual({
      before: 1,
      after: 0,
      known: 0,
    })
  })
})

describe('limits of a call', () => {
  it('ends at its deadline, knowing that what was not sent was not done', async () => {
    for (const node of harness.ensemble.nodes) await node.kill()
    await harness.clock.advance(100)
    const fromMs = harness.clock.now()
    const error = await failure(zk.create('/a', '', { timeoutMs: 700 }))
    expect(error).toMatchObject({ code: 'timed-out', outcome: 'not-done', path: '/a' })
    expect(harness.clock.now() - fromMs).toBeLessThan(760)
  })

  it('ends at its deadline, and does not know of what was sent', async () => {
    harness.ensemble.script({ when: { op: 'create2' }, do: 'ignore', at: 'unanswered' })
    expect(await failure(zk.create('/a', '', { timeoutMs: 700 }))).toMatchObject({
      code: 'timed-out',
      outcome: 'unknown',
    })
  })

  it('ends with its signal', async () => {
    harness.ensemble.script({ when: { op: 'get-data' }, do: 'ignore' })
    const stop = new AbortController()
    const reading = failure(zk.get('/a', { signal: stop.signal }))
    stop.abort()
    expect(await reading).toMatchObject({ code: 'aborted', path: '/a' })
  })

  it('refuses what is more than may wait', async () => {
    const { client } = harness.member({ maxOperations: 2 })
    const two = [client.get('/a'), client.get('/b')]
    expect(await failure(client.get('/c'))).toMatchObject({
      code: 'exhausted',
      outcome: 'not-done',
      path: '/c',
    })
    await done(Promise.all(two))
  })

  it.each([
    [{ timeoutMS: 5 }, 'get.timeoutMS', "'timeoutMs'"],
    [{ timeoutMs: 0 }, 'get.timeoutMs', 'milliseconds'],
    [{ signal: 'now' }, 'get.signal', 'AbortSignal'],
  ])('refuses %j with the way to the option, and what is expected', async (options, path, expected) => {
    const error = await failure(Promise.resolve().then(() => zk.get('/a', options as object)))
    expect(error).toMatchObject({ code: 'config-invalid', message: expect.stringContaining(path) })
    expect(String(error)).toContain(expected)
  })
})
