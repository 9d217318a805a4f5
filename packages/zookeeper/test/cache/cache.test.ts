import { describe, expect, it } from 'vitest'
import { type CacheOptions, openCache } from '../../src/cache/cache.ts'
import { nodeOf } from './node-of.ts'
import { childrenOf, forGood, passing, scriptedContext, treeOf } from './scripted-reads.ts'

/** A cache of `/a`, connected and read, over a tree with the given paths. */
async function cacheOver(paths: readonly string[], options: CacheOptions<Buffer> = {}) {
  const bench = scriptedContext()
  const cache = openCache(bench.context, '/a', options)
  await bench.sessions.begin()
  const tree = treeOf(...paths)
  await bench.reads.serve(tree)
  return { ...bench, cache, tree }
}

const keys = (map: ReadonlyMap<string, unknown>): readonly string[] => [...map.keys()].sort()

describe('what a cache holds', () => {
  it.each([
    [0, ['/a']],
    [1, ['/a/b', '/a/c']],
    ['tree', ['/a', '/a/b', '/a/b/d', '/a/c']],
  ] as const)('at depth %s', async (depth, expected) => {
    const { cache } = await cacheOver(['/a', '/a/b', '/a/c', '/a/b/d'], { depth })
    expect(keys(cache.current())).toEqual(expected)
  })

  it('is what decode makes of it', async () => {
    const { context, reads, sessions } = scriptedContext()
    const cache = openCache(context, '/a', { decode: ({ data }) => data.length })
    await sessions.begin()
    await reads.serve(treeOf('/a'))
    expect(cache.get('/a')?.value).toBe(2)
  })

  it('leaves out a node that cannot be decoded, and says why', async () => {
    const { context, reads, sessions } = scriptedContext()
    const decode = (_node: unknown, path: string): string => {
      if (path === '/a/b') throw new Error('not ours')
      return path
    }
    const cache = openCache(context, '/a', { depth: 1, decode })
    await sessions.begin()
    await reads.serve(treeOf('/a', '/a/b', '/a/c'))
    expect([keys(cache.current()), cache.problems.get('/a/b')?.message]).toEqual([['/a/c'], 'not ours'])
  })

  it('is not changed in the hands of whoever asked for it', async () => {
    const { cache, reads } = await cacheOver(['/a'])
    const before = cache.current()
    await reads.tell('get /a', 'deleted')
    await reads.serve(treeOf())
    expect([before.size, cache.current().size]).toEqual([1, 0])
  })
})

describe('a change', () => {
  it('is read once', async () => {
    const { cache, reads } = await cacheOver(['/a'])
    await reads.tell('get /a', 'changed')
    await reads.take('get /a').answer(nodeOf('new', { czxid: 0n, mzxid: 5n }))
    expect([cache.get('/a')?.value.toString(), reads.asked]).toEqual(['new', 2])
  })

  it('that is told before the answer is read again', async () => {
    const { cache, reads } = await cacheOver(['/a'])
    await reads.tell('get /a', 'changed')
    const asked = reads.take('get /a')
    await asked.tell('changed')
    await asked.answer(nodeOf('old', { czxid: 0n, mzxid: 5n }))
    await reads.take('get /a').answer(nodeOf('new', { czxid: 0n, mzxid: 6n }))
    expect(cache.get('/a')?.value.toString()).toBe('new')
  })

  it('never goes back to what an answer that is older says', async () => {
    const { cache, reads } = await cacheOver(['/a'])
    await reads.tell('get /a', 'changed')
    await reads.take('get /a').answer(nodeOf('new', { czxid: 0n, mzxid: 6n }))
    await reads.tell('get /a', 'changed')
    await reads.take('get /a').answer(nodeOf('old', { czxid: 0n, mzxid: 5n }))
    expect(cache.get('/a')?.value.toString()).toBe('new')
  })

  it('is read after a while where there is jitter', async () => {
    const { clock, reads } = await cacheOver(['/a'], { jitterMs: 100 })
    await reads.tell('get /a', 'changed')
    await clock.advance(49)
    const before = reads.open
    await clock.advance(1)
    expect([before, reads.open]).toEqual([[], ['get /a']])
  })
})

describe('a root that is not there', () => {
  it.each([0, 1, 'tree'] as const)('is found when it is made (depth %s)', async (depth) => {
    const { cache, reads } = await cacheOver([], { depth })
    for (const what of reads.watched) await reads.tell(what, 'created')
    await reads.serve(treeOf('/a', '/a/b'))
    expect(cache.current().size).toBe(depth === 'tree' ? 2 : 1)
  })
})

describe('a child that is deleted', () => {
  it('is gone at once, neither read nor watched', async () => {
    const { cache, reads } = await cacheOver(['/a', '/a/b', '/a/c'], { depth: 1 })
    await reads.tell('get /a/b', 'deleted')
    expect([keys(cache.current()), reads.open, reads.watched]).toEqual([
      ['/a/c'],
      [],
      ['children /a', 'get /a/c'],
    ])
  })

  it('is back when the list names it, as another node', async () => {
    const { cache, reads } = await cacheOver(['/a', '/a/b'], { depth: 1 })
    await reads.tell('get /a/b', 'deleted')
    await reads.tell('children /a', 'children')
    await reads.take('children /a').answer(childrenOf(['b'], 9n))
    await reads.take('get /a/b').answer(nodeOf('again', { czxid: 9n, mzxid: 9n }))
    expect(cache.get('/a/b')?.stat.czxid).toBe(9n)
  })

  it('takes all below it along', async () => {
    const { cache, reads } = await cacheOver(['/a', '/a/b', '/a/b/c', '/a/b/c/d'], { depth: 'tree' })
    await reads.tell('children /a', 'children')
    await reads.take('children /a').answer(childrenOf([], 9n))
    expect([keys(cache.current()), reads.watched]).toEqual([['/a'], ['children /a', 'get /a']])
  })

  it('is not watched when its read comes too late', async () => {
    const { reads } = await cacheOver(['/a'], { depth: 1 })
    await reads.tell('children /a', 'children')
    await reads.take('children /a').answer(childrenOf(['b'], 9n))
    await reads.take('get /a/b').answer(undefined)
    expect(reads.watched).toEqual(['children /a'])
  })

  it('leaves nothing behind when it goes while it is read', async () => {
    const { cache, reads } = await cacheOver(['/a', '/a/b'], { depth: 1 })
    await reads.tell('get /a/b', 'changed')
    const late = reads.take('get /a/b')
    await reads.tell('children /a', 'children')
    await reads.take('children /a').answer(childrenOf([], 9n))
    await late.answer(nodeOf('late', { czxid: 1n, mzxid: 8n }))
    expect([cache.current().size, reads.watched]).toEqual([0, ['children /a']])
  })
})

describe('reads', () => {
  it('are at most so many at once', async () => {
    const { reads, context, sessions } = scriptedContext()
    openCache(context, '/a', { depth: 1, maxReads: 2 })
    await sessions.begin()
    await reads.take('children /a').answer(childrenOf(['b', 'c', 'd'], 1n))
    expect(reads.open).toEqual(['get /a/b', 'get /a/c'])
  })

  it('that fail are made again, and hold up no others', async () => {
    const { cache, clock, reads } = await cacheOver(['/a', '/a/b', '/a/c'], { depth: 1 })
    await reads.tell('get /a/b', 'changed')
    await reads.take('get /a/b').fail(passing)
    await reads.tell('get /a/c', 'changed')
    await reads.take('get /a/c').answer(nodeOf('new', { czxid: 2n, mzxid: 8n }))
    await clock.advance(100)
    expect([reads.open, cache.get('/a/c')?.value.toString()]).toEqual([['get /a/b'], 'new'])
  })

  it('that have failed for long are made again within a second', async () => {
    const { clock, reads } = await cacheOver(['/a'])
    await reads.tell('get /a', 'changed')
    for (let i = 0; i < 20; i++) {
      await reads.take('get /a').fail(passing)
      await clock.advance(1_000)
    }
    expect(reads.open).toEqual(['get /a'])
  })

  it('that are refused for good are made again with growing pauses, in the end once a minute', async () => {
    const { clock, reads } = await cacheOver(['/a'])
    await reads.tell('get /a', 'changed')
    const opened: number[] = []
    for (let i = 0; i < 20; i++) {
      await reads.take('get /a').fail(forGood)
      await clock.advance(53_999)
      opened.push(reads.open.length)
      await clock.advance(6_001)
    }
    expect([opened[0], opened.at(-1), reads.open]).toEqual([1, 0, ['get /a']])
  })

  it('that fail leave what was known, and say so', async () => {
    const { cache, reads } = await cacheOver(['/a'])
    await reads.tell('get /a', 'changed')
    await reads.take('get /a').fail(passing)
    expect([cache.get('/a')?.value.toString(), cache.stale, cache.problems.get('/a')]).toEqual([
      '/a',
      true,
      passing,
    ])
  })
})

describe('what is refused for good', () => {
  it('does not keep the rest from being ready where it is one node', async () => {
    const { reads, context, sessions } = scriptedContext()
    const cache = openCache(context, '/a', { depth: 1 })
    await sessions.begin()
    await reads.take('children /a').answer(childrenOf(['b', 'c'], 1n))
    await reads.take('get /a/b').fail(forGood)
    await reads.take('get /a/c').answer(nodeOf('c'))
    await cache.ready()
    expect([keys(cache.current()), keys(cache.problems), cache.stale]).toEqual([['/a/c'], ['/a/b'], false])
  })

  it.each([
    ['the node itself', 0, 'get /a'],
    ['the list of its children', 1, 'children /a'],
    ['the list of a child’s children', 'tree', 'children /a/b'],
  ] as const)('is waited for where others hang on it: %s', async (_what, depth, refused) => {
    const { reads, context, sessions, clock } = scriptedContext()
    const tree = treeOf('/a', '/a/b')
    const cache = openCache(context, '/a', { depth })
    const ready = cache.ready({ timeoutMs: 50 })
    ready.catch(() => undefined)
    await sessions.begin()
    await reads.serve(tree, (what) => (what === refused ? forGood : undefined))
    await clock.advance(50)
    await expect(ready).rejects.toMatchObject({ code: 'timed-out', cause: forGood })
    expect(cache.stale).toBe(true)
    await clock.advance(100)
    await reads.serve(tree)
    await cache.ready()
    expect(cache.stale).toBe(false)
  })

  it('is still the reason while it is asked for again', async () => {
    const { reads, context, sessions, clock } = scriptedContext()
    const cache = openCache(context, '/a')
    const ready = cache.ready({ timeoutMs: 500 })
    ready.catch(() => undefined)
    await sessions.begin()
    await reads.take('get /a').fail(forGood)
    await clock.advance(500)
    expect(reads.open).toEqual(['get /a'])
    await expect(ready).rejects.toMatchObject({ cause: forGood })
  })

  it('makes stale what was read before', async () => {
    const { cache, reads } = await cacheOver(['/a', '/a/b'], { depth: 1 })
    await reads.tell('children /a', 'children')
    await reads.take('children /a').fail(forGood)
    expect([keys(cache.current()), cache.stale, cache.problems.get('/a')]).toEqual([['/a/b'], true, forGood])
  })

  it('is named as the reason before what cannot be decoded', async () => {
    const { reads, context, sessions, clock } = scriptedContext()
    const decode = (): never => {
      throw new Error('not ours')
    }
    const cache = openCache(context, '/a', { depth: 'tree', decode })
    const ready = cache.ready({ timeoutMs: 50 })
    ready.catch(() => undefined)
    await sessions.begin()
    await reads.serve(treeOf('/a', '/a/b'), (what) => (what === 'children /a/b' ? forGood : undefined))
    await clock.advance(50)
    await expect(ready).rejects.toMatchObject({ cause: forGood })
  })
})

describe('what is asked of a cache', () => {
  it.each([{ timeoutMs: Number.NaN }, { timeoutMs: 0 }, { timeout: 5 }])(
    'is refused as %o',
    async (limit) => {
      const { cache } = await cacheOver(['/a'])
      const refusal = { name: 'ZookeeperError', code: 'config-invalid' }
      await expect(cache.ready(limit as object)).rejects.toMatchObject(refusal)
    },
  )

  it('is refused with a ZookeeperError', () => {
    const { context } = scriptedContext()
    const refusal = expect.objectContaining({ name: 'ZookeeperError', code: 'config-invalid' })
    expect(() => openCache(context, '/a', { maxReads: 0 })).toThrow(refusal)
  })
})
