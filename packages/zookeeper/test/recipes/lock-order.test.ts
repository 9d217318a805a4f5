import { seededRandom } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import {
  byPriority,
  exclusive,
  type LockOrder,
  positionOf,
  shared,
  upToPermits,
} from '../../src/recipes/lock-order.ts'

describe('positionOf', () => {
  it.each([
    ['the first', 'a-0', ['a-0', 'a-1'], { kind: 'granted' }],
    ['the second', 'a-1', ['a-1', 'a-0'], { kind: 'waiting', ahead: 1, predecessors: ['a-0'] }],
    [
      'the fourth watches the third alone',
      'a-3',
      ['a-0', 'a-3', 'a-1', 'a-2'],
      { kind: 'waiting', ahead: 3, predecessors: ['a-2'] },
    ],
    ['one whose node is not there', 'a-9', ['a-0'], { kind: 'missing' }],
    ['nobody at all', 'a-0', [], { kind: 'missing' }],
  ])('of a lock: %s', (_, own, names, position) => {
    expect(shortPosition(names, own, exclusive)).toEqual(position)
  })

  it.each([
    ['readers stand together', 'read-2', ['read-0', 'read-1', 'read-2'], { kind: 'granted' }],
    [
      'a reader behind writers watches the last',
      'read-4',
      ['write-0', 'read-1', 'write-2', 'read-3', 'read-4'],
      { kind: 'waiting', ahead: 2, predecessors: ['write-2'] },
    ],
    ['a writer behind it is not in the way', 'read-0', ['read-0', 'write-1'], { kind: 'granted' }],
  ])('of a reader: %s', (_, own, names, position) => {
    expect(shortPosition(names, own, shared)).toEqual(position)
  })

  it('of a writer: it watches whoever is before it, reader or writer', () => {
    expect(shortPosition(['write-0', 'read-1', 'write-2'], 'write-2', exclusive)).toEqual({
      kind: 'waiting',
      ahead: 2,
      predecessors: ['read-1'],
    })
  })

  it.each([
    ['as many as there are permits', 'seat-1', ['seat-0', 'seat-1'], { kind: 'granted' }],
    [
      'the first who waits watches all holders',
      'seat-2',
      ['seat-0', 'seat-1', 'seat-2'],
      { kind: 'waiting', ahead: 1, predecessors: ['seat-0', 'seat-1'] },
    ],
    [
      'the second watches as many, the nearest',
      'seat-3',
      ['seat-0', 'seat-1', 'seat-2', 'seat-3'],
      { kind: 'waiting', ahead: 2, predecessors: ['seat-1', 'seat-2'] },
    ],
  ])('of two permits: %s', (_, own, names, position) => {
    expect(shortPosition(names, own, upToPermits(2))).toEqual(position)
  })

  it.each([
    ['the first, with nobody above it', 'rank1-0', ['rank1-0', 'rank1-1', 'rank0-2'], { kind: 'granted' }],
    ['the first, with a higher one behind it', 'rank1-0', ['rank1-0', 'rank2-1'], { kind: 'requeue' }],
    [
      'the higher one waits as well',
      'rank2-1',
      ['rank1-0', 'rank2-1'],
      { kind: 'waiting', ahead: 1, predecessors: ['rank1-0'] },
    ],
    ['nine is less than ten', 'rank9-0', ['rank9-0', 'rank10-1'], { kind: 'requeue' }],
  ])('of an election: %s', (_, own, names, position) => {
    expect(shortPosition(names, own, byPriority)).toEqual(position)
  })
})

describe('a queue that moves', () => {
  // A node must not be granted before one of its watched predecessors is deleted: it would miss that.
  it.each([
    ['lock', exclusive, 1],
    ['semaphore', upToPermits(3), 3],
  ])('of a %s wakes everybody in time, and few at once', (_, order, most) => {
    const random = seededRandom(7)
    for (let run = 0; run < 200; run++) expect(wokenAtOnce(order, 12, random)).toBeLessThanOrEqual(most)
  })
})

// A node reads its position only when one that it watches is deleted. Returns the most nodes woken by one deletion.
function wokenAtOnce(order: LockOrder, nodes: number, random: () => number): number {
  let names = Array.from({ length: nodes }, (_, i) => named(`seat-${i}`))
  const watching = new Map(names.map((name) => [name, positionOf(names, name, order)]))
  let most = 0
  while (names.length > 0) {
    const deleted = names[Math.floor(random() * names.length)]!
    names = names.filter((name) => name !== deleted)
    const woken = names.filter((name) => {
      const position = watching.get(name)
      return position?.kind === 'waiting' && position.predecessors.includes(deleted)
    })
    for (const name of woken) watching.set(name, positionOf(names, name, order))
    most = Math.max(most, woken.length)
    for (const name of names) {
      const isGranted = positionOf(names, name, order).kind === 'granted'
      expect(watching.get(name)?.kind === 'granted', `${name} of ${names}`).toBe(isGranted)
    }
  }
  return most
}

// Short names stand for long ones: `read-3` for `read-0000000003`.
function shortPosition(names: readonly string[], own: string, order: LockOrder): unknown {
  const position = positionOf(names.map(named), named(own), order)
  return position.kind === 'waiting'
    ? { ...position, predecessors: position.predecessors.map(short) }
    : position
}

function named(name: string): string {
  const [kind = '', sequence = ''] = name.split('-')
  return `${kind}-${sequence.padStart(10, '0')}`
}

function short(name: string): string {
  const [kind = '', sequence = ''] = name.split('-')
  return `${kind}-${Number(sequence)}`
}
