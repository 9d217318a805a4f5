import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type CacheChange,
  type CachedNode,
  changeOf,
  type PendingChanges,
  recordChange,
} from '../../src/cache/contents.ts'
import { statOf } from './node-of.ts'

type Nodes = Map<string, CachedNode<number>>

function node(path: string, czxid: bigint, mzxid: bigint = czxid): CachedNode<number> {
  return { path, value: Number(mzxid), stat: statOf({ czxid, mzxid }) }
}

/** A summary of a change. */
function inShort(change: CacheChange<number> | undefined): unknown {
  return {
    added: change?.added.map(({ path }) => path) ?? [],
    changed: change?.changed.map(({ after }) => after.path) ?? [],
    removed: change?.removed.map(({ path }) => path) ?? [],
  }
}

const nothing = { added: [], changed: [], removed: [] }

describe('several changes as one', () => {
  const a1 = node('/a', 1n)
  const a2 = node('/a', 1n, 2n)
  const again = node('/a', 9n)

  it.each([
    ['made', [undefined, a1], { ...nothing, added: ['/a'] }],
    ['made and changed: made', [undefined, a1, a2], { ...nothing, added: ['/a'] }],
    ['made and deleted: nothing', [undefined, a1, undefined], nothing],
    ['changed', [a1, a2], { ...nothing, changed: ['/a'] }],
    ['changed and deleted: deleted', [a1, a2, undefined], { ...nothing, removed: ['/a'] }],
    ['deleted and made again: changed', [a1, undefined, again], { ...nothing, changed: ['/a'] }],
    ['read again, the same: nothing', [a1, a1], nothing],
  ] as const)('%s', (_what, [first, ...rest], expected) => {
    const untold: PendingChanges<number> = new Map()
    const current: Nodes = new Map()
    let before: CachedNode<number> | undefined = first
    for (const after of rest) {
      recordChange(untold, '/a', { before, after })
      if (after === undefined) current.delete('/a')
      else current.set('/a', after)
      before = after
    }
    expect(inShort(changeOf(untold, current))).toEqual(expected)
  })

  it('tells a removed node as it was told last, not as it was in between', () => {
    const untold: PendingChanges<number> = new Map()
    recordChange(untold, '/a', { before: a1, after: a2 })
    recordChange(untold, '/a', { before: a2, after: undefined })
    expect(changeOf(untold, new Map())?.removed).toEqual([a1])
  })

  it('keeps nothing of what came and went', () => {
    const untold: PendingChanges<number> = new Map()
    for (let i = 0; i < 1_000; i++) {
      recordChange(untold, `/${i}`, { before: undefined, after: node(`/${i}`, 1n) })
      recordChange(untold, `/${i}`, { before: node(`/${i}`, 1n), after: undefined })
    }
    expect(untold.size).toBe(0)
  })
})

/** The nodes of a cache, and a follower that applies its changes. */
class Pair {
  readonly current: Nodes = new Map()
  readonly theirs: Nodes = new Map()
  readonly #untold: PendingChanges<number> = new Map()
  #zxid = 0n

  put(path: string): void {
    this.#zxid += 1n
    this.#replace(path, node(path, this.current.get(path)?.stat.czxid ?? this.#zxid, this.#zxid))
  }

  delete(path: string): void {
    if (this.current.has(path)) this.#replace(path, undefined)
  }

  tell(): void {
    const change = changeOf(this.#untold, this.current)
    this.#untold.clear()
    for (const one of change?.added ?? []) this.theirs.set(one.path, one)
    for (const { after } of change?.changed ?? []) this.theirs.set(after.path, after)
    for (const { path } of change?.removed ?? []) this.theirs.delete(path)
  }

  #replace(path: string, after: CachedNode<number> | undefined): void {
    const before = this.current.get(path)
    if (after === undefined) this.current.delete(path)
    else this.current.set(path, after)
    recordChange(this.#untold, path, { before, after })
  }
}

const writes = fc.array(
  fc.tuple(fc.constantFrom('put', 'delete', 'tell'), fc.constantFrom('/a', '/b', '/c')),
  { maxLength: 60 },
)

describe('a follower that applies what it is told', () => {
  it('has what the cache has, however seldom it is told', () => {
    fc.assert(
      fc.property(writes, (steps) => {
        const pair = new Pair()
        for (const [kind, path] of steps) pair[kind](path)
        pair.tell()
        expect(pair.theirs).toEqual(pair.current)
      }),
    )
  })
})
