import { describe, expect, it } from 'vitest'
import { reactionTo } from '../../src/cache/node-watcher.ts'
import { aspectsAt, isOlder, listChange } from '../../src/cache/tree-node.ts'
import { statOf } from './node-of.ts'

describe('an answer', () => {
  const known = statOf({ czxid: 10n, mzxid: 20n, pzxid: 20n })

  it.each([
    ['is not older than nothing', { czxid: 1n, mzxid: 1n }, undefined, false],
    ['is not older when it says the same', { czxid: 10n, mzxid: 20n }, known, false],
    ['is not older when the node has changed since', { czxid: 10n, mzxid: 21n }, known, false],
    ['is older when the node had not changed yet', { czxid: 10n, mzxid: 19n }, known, true],
    ['is not older when the node was made again', { czxid: 30n, mzxid: 30n }, known, false],
    ['is older when it is of a node that was there before', { czxid: 9n, mzxid: 90n }, known, true],
  ] as const)('%s', (_what, read, before, expected) => {
    expect(isOlder(statOf(read), before, 'mzxid')).toBe(expected)
  })

  it('is judged by the children where it tells of children', () => {
    expect(isOlder(statOf({ czxid: 10n, mzxid: 99n, pzxid: 19n }), known, 'pzxid')).toBe(true)
  })
})

describe('an event', () => {
  it.each([
    ['changed', false, 'read'],
    ['children', false, 'read'],
    ['created', true, 'read'],
    ['deleted', true, 'read'],
    ['deleted', false, 'gone'],
  ] as const)('%s (of the root: %s) means %s', (kind, isRoot, expected) => {
    expect(reactionTo({ kind, path: '/a' }, isRoot)).toBe(expected)
  })
})

describe('a list of children', () => {
  it('is compared with what is known, whatever its order', () => {
    expect(listChange(['a', 'b', 'c'], ['d', 'c', 'a'])).toEqual({
      added: ['d'],
      kept: ['c', 'a'],
      removed: ['b'],
    })
  })
})

describe('what is followed', () => {
  it.each([
    [0, 0, ['data']],
    [1, 0, ['children']],
    [1, 1, ['data']],
    [1, 2, []],
    ['tree', 0, ['data', 'children']],
    ['tree', 7, ['data', 'children']],
  ] as const)('at depth %s, level %s', (depth, level, expected) => {
    expect(aspectsAt(depth, level)).toEqual(expected)
  })
})
