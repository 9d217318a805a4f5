import { settle } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { openCache } from '../../src/cache/cache.ts'
import { nodeOf } from './node-of.ts'
import { childrenOf, passing, scriptedContext, treeOf } from './scripted-reads.ts'

async function children(...paths: readonly string[]) {
  const bench = scriptedContext()
  const cache = openCache(bench.context, '/a', { depth: 1 })
  await bench.sessions.begin()
  await bench.reads.serve(treeOf('/a', ...paths))
  return { ...bench, cache }
}

describe('ready', () => {
  it('comes when all has been read', async () => {
    const { context, reads, sessions } = scriptedContext()
    const cache = openCache(context, '/a', { depth: 1 })
    let isReady = false
    const ready = cache.ready().then(() => {
      isReady = true
    })
    await sessions.begin()
    await reads.take('children /a').answer(childrenOf(['b'], 1n))
    const before = isReady
    await reads.take('get /a/b').answer(nodeOf('b'))
    await ready
    expect([before, isReady]).toEqual([false, true])
  })

  it('says after its time what it waited for', async () => {
    const { context, clock, reads, sessions } = scriptedContext()
    const cache = openCache(context, '/a')
    const ready = cache.ready({ timeoutMs: 300 }).catch((error: unknown) => error)
    await sessions.begin()
    await reads.take('get /a').fail(passing)
    await clock.advance(300)
    expect(await ready).toMatchObject({ code: 'timed-out' })
  })

  it('ends with the cache', async () => {
    const { context } = scriptedContext()
    const cache = openCache(context, '/a')
    const ready = cache.ready().catch((error: unknown) => error)
    cache.close()
    expect(await ready).toMatchObject({ code: 'closed' })
  })
})

describe('a connection that goes', () => {
  it('makes it stale, and leaves what it knew', async () => {
    const { cache, sessions, clock } = await children('/a/b')
    await clock.advance(500)
    await sessions.connect(false)
    await clock.advance(1_000)
    expect([cache.stale, cache.ageMs, cache.current().size]).toEqual([true, 1_500, 1])
  })

  it('and comes back in the same session needs no reads: the watches tell', async () => {
    const { cache, sessions, reads } = await children('/a/b')
    await sessions.connect(false)
    await sessions.connect(true)
    expect([cache.stale, reads.open]).toEqual([false, []])
  })

  it('and comes back in another session has everything read again', async () => {
    const { cache, sessions, reads } = await children('/a/b')
    await sessions.connect(false)
    await sessions.begin()
    expect([cache.stale, reads.open]).toEqual([true, ['children /a', 'get /a/b']])
  })

  it('and comes back in another session counts no answer to what was asked before', async () => {
    const { cache, sessions, reads } = await children('/a/b')
    await reads.tell('get /a/b', 'changed')
    const early = reads.take('get /a/b')
    await sessions.connect(false)
    await sessions.begin()
    await early.answer(nodeOf('before', { czxid: 90n, mzxid: 90n }))
    await reads.serve(treeOf('/a', '/a/b'))
    expect(cache.get('/a/b')?.value.toString()).toBe('/a/b')
  })

  it('and comes back reads at once, and then soon, what could not be read', async () => {
    const { clock, reads, sessions } = await children('/a/b')
    await reads.tell('get /a/b', 'changed')
    for (let i = 0; i < 10; i++) {
      await reads.take('get /a/b').fail(passing)
      await clock.advance(5_000)
    }
    await reads.take('get /a/b').fail(passing)
    await sessions.connect(false)
    await sessions.connect(true)
    await reads.take('get /a/b').fail(passing)
    await clock.advance(100)
    expect(reads.open).toEqual(['get /a/b'])
  })

  it('holds back reads until it is there again', async () => {
    const { reads, sessions } = await children('/a/b')
    await sessions.connect(false)
    await reads.tell('get /a/b', 'changed')
    const before = reads.open
    await sessions.connect(true)
    expect([before, reads.open]).toEqual([[], ['get /a/b']])
  })
})

describe('staleness', () => {
  async function heardBy(act: (bench: Awaited<ReturnType<typeof children>>) => Promise<void>) {
    const bench = await children('/a/b')
    const heard: boolean[] = []
    bench.cache.onStale((stale) => heard.push(stale))
    await act(bench)
    return heard
  }

  it('ends, which is told, when all has been read', async () => {
    const { context, reads, sessions } = scriptedContext()
    const cache = openCache(context, '/a', { depth: 1 })
    const heard: unknown[] = []
    cache.onStale((stale) => heard.push(stale, cache.current().size))
    await sessions.begin()
    await reads.serve(treeOf('/a', '/a/b'))
    expect(heard).toEqual([false, 1])
  })

  it.each<[string, boolean[], Parameters<typeof heardBy>[0]]>([
    [
      'is told though nothing else changes',
      [true, false],
      async ({ sessions }) => {
        await sessions.connect(false)
        await sessions.connect(true)
      },
    ],
    [
      'is told while there is a connection',
      [true, false],
      async ({ reads, clock }) => {
        await reads.tell('get /a/b', 'changed')
        await reads.take('get /a/b').fail(passing)
        await clock.advance(100)
        await reads.take('get /a/b').answer(nodeOf('new', { czxid: 1n, mzxid: 8n }))
      },
    ],
    [
      'is told once in another session, until all has been read again',
      [true, false],
      async ({ sessions, reads }) => {
        await sessions.begin()
        await reads.serve(treeOf('/a', '/a/b'))
      },
    ],
    [
      'is not told of a change that is read in its time',
      [],
      ({ reads }) => reads.tell('get /a/b', 'changed'),
    ],
    ['is told when the cache is closed', [true], async ({ cache }) => cache.close()],
  ])('%s', async (_what, expected, act) => {
    expect(await heardBy(act)).toEqual(expected)
  })

  it('is not told as over, of a cache that another listener has closed by then', async () => {
    const { context, reads, sessions } = scriptedContext()
    const cache = openCache(context, '/a')
    cache.onStale(() => cache.close())
    let isStale = cache.stale
    cache.onStale((stale) => {
      isStale = stale
    })
    await sessions.begin()
    await reads.serve(treeOf('/a'))
    expect([isStale, cache.stale]).toEqual([true, true])
  })

  it('is told until the listener is taken away', async () => {
    const { cache, sessions } = await children('/a/b')
    const heard: boolean[] = []
    const off = cache.onStale((stale) => heard.push(stale))
    off()
    await sessions.connect(false)
    expect(heard).toEqual([])
  })
})

describe('changes', () => {
  it('begin with everything as added', async () => {
    const { cache } = await children('/a/b', '/a/c')
    for await (const { added } of cache.changes()) {
      expect(added.map(({ path }) => path)).toEqual(['/a/b', '/a/c'])
      break
    }
  })

  it('come to one for whoever is slow', async () => {
    const { cache, reads } = await children('/a/b', '/a/c')
    const changes = cache.changes()[Symbol.asyncIterator]()
    await changes.next()
    await reads.tell('get /a/b', 'changed')
    await reads.take('get /a/b').answer(nodeOf('new', { czxid: 1n, mzxid: 8n }))
    await reads.tell('get /a/c', 'deleted')
    const { value } = await changes.next()
    expect([value.changed[0].after.value.toString(), value.removed[0].path]).toEqual(['new', '/a/c'])
  })

  it('end when the cache is closed', async () => {
    const { cache } = await children()
    const next = cache.changes()[Symbol.asyncIterator]().next()
    cache.close()
    expect(await next).toEqual({ done: true, value: undefined })
  })

  it('reach a listener until it is taken away', async () => {
    const { cache, reads } = await children('/a/b')
    const heard: number[] = []
    const off = cache.onChange(({ added, removed }) => heard.push(added.length, removed.length))
    await settle()
    off()
    await reads.tell('get /a/b', 'deleted')
    expect(heard).toEqual([1, 0])
  })
})

describe('close', () => {
  it('in the middle of a read leaves no watch behind', async () => {
    const { context, reads, sessions } = scriptedContext()
    const cache = openCache(context, '/a', {
      decode: ({ data }) => {
        cache.close()
        return data
      },
    })
    await sessions.begin()
    await reads.serve(treeOf('/a'))
    expect(reads.watched).toEqual([])
  })

  it('watches nothing any more, and leaves what it knew', async () => {
    const { cache, reads, clock } = await children('/a/b')
    cache.close()
    expect([reads.watched, cache.current().size, cache.stale, clock.pending]).toEqual([[], 1, true, 0])
  })

  it('comes with the end of the client', async () => {
    const { reads, end } = await children('/a/b')
    end.abort(new Error('closed'))
    expect(reads.watched).toEqual([])
  })
})

describe('many changes', () => {
  it('leave as many watches as there are nodes', async () => {
    const { reads } = await children('/a/b', '/a/c')
    for (let i = 10; i < 200; i++) {
      await reads.tell('get /a/b', 'changed')
      await reads.take('get /a/b').answer(nodeOf('x', { czxid: 1n, mzxid: BigInt(i) }))
    }
    expect(reads.watched).toEqual(['children /a', 'get /a/b', 'get /a/c'])
  })
})
