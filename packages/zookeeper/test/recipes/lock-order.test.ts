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

describe('turnOf', () => {
  it.each([
    ['the first', 'a-0', ['a-0', 'a-1'], { kind: 'ours' }],
    ['the second', 'a-1', ['a-1', 'a-0'], { kind: 'behind', ahead: 1, watched: ['a-0'] }],
    [
      'the fourth watches the third alone',
      'a-3',
      ['a-0', 'a-3', 'a-1', 'a-2'],
      { kind: 'behind', ahead: 3, watched: ['a-2'] },
    ],
    ['one whose node is not there', 'a-9', ['a-0'], { kind: 'gone' }],
    ['nobody at all', 'a-0', [], { kind: 'gone' }],
  ])('of a lock: %s', (_, own, names, turn) => {
    expect(turned(names, own, exclusive)).toEqual(turn)
  })

  it.each([
    ['readers stand together', 'read-2', ['read-0', 'read-1', 'read-2'], { kind: 'ours' }],
    [
      'a reader behind writers watches the last',
      'read-4',
      ['write-0', 'read-1', 'write-2', 'read-3', 'read-4'],
      { kind: 'behind', ahead: 2, watched: ['write-2'] },
    ],
    ['a writer behind it is not in the way', 'read-0', ['read-0', 'write-1'], { kind: 'ours' }],
  ])('of a reader: %s', (_, own, names, turn) => {
    expect(turned(names, own, shared)).toEqual(turn)
  })

  it('of a writer: it watches whoever is before it, reader or writer', () => {
    expect(turned(['write-0', 'read-1', 'write-2'], 'write-2', exclusive)).toEqual({
      kind: 'behind',
      ahead: 2,
      watched: ['read-1'],
    })
  })

  it.each([
    ['as many as there are seats', 'seat-1', ['seat-0', 'seat-1'], { kind: 'ours' }],
    [
      'the first who waits watches all who sit',
      'seat-2',
      ['seat-0', 'seat-1', 'seat-2'],
      { kind: 'behind', ahead: 1, watched: ['seat-0', 'seat-1'] },
    ],
    [
      'the second watches as many, the nearest',
      'seat-3',
      ['seat-0', 'seat-1', 'seat-2', 'seat-3'],
      { kind: 'behind', ahead: 2, watched: ['seat-1', 'seat-2'] },
    ],
  ])('of two seats: %s', (_, own, names, turn) => {
    expect(turned(names, own, upToPermits(2))).toEqual(turn)
  })

  it.each([
    ['the first, with nobody above it', 'rank1-0', ['rank1-0', 'rank1-1', 'rank0-2'], { kind: 'ours' }],
    ['the first, with a higher one behind it', 'rank1-0', ['rank1-0', 'rank2-1'], { kind: 'yield' }],
    [
      'the higher one waits as well',
      'rank2-1',
      ['rank1-0', 'rank2-1'],
      { kind: 'behind', ahead: 1, watched: ['rank1-0'] },
    ],
    ['nine is less than ten', 'rank9-0', ['rank9-0', 'rank10-1'], { kind: 'yield' }],
  ])('of an election: %s', (_, own, names, turn) => {
    expect(turned(names, own, byPriority)).toEqual(turn)
  })
})

describe('a line that moves', () => {
  // Whoever waits has seen what it watches go before its turn has come: else it would sleep through it.
  it.each([
    ['lock', exclusive, 1],
    ['semaphore', upToPermits(3), 3],
  ])('of a %s wakes everybody in time, and few at once', (_, rule, most) => {
    const random = seededRandom(7)
    for (let run = 0; run < 200; run++) expect(wokenAtOnce(rule, 12, random)).toBeLessThanOrEqual(most)
  })
})

// Everybody looks only when one that it watches has gone. Returns the most that were woken by one.
function wokenAtOnce(rule: LockOrder, places: number, random: () => number): number {
  let names = Array.from({ length: places }, (_, i) => named(`seat-${i}`))
  const watching = new Map(names.map((name) => [name, positionOf(names, name, rule)]))
  let most = 0
  while (names.length > 0) {
    const gone = names[Math.floor(random() * names.length)]!
    names = names.filter((name) => name !== gone)
    const woken = names.filter((name) => {
      const turn = watching.get(name)
      return turn?.kind === 'behind' && turn.watched.includes(gone)
    })
    for (const name of woken) watching.set(name, positionOf(names, name, rule))
    most = Math.max(most, woken.length)
    for (const name of names) {
      const isOurs = positionOf(names, name, rule).kind === 'ours'
      expect(watching.get(name)?.kind === 'ours', `${name} of ${names}`).toBe(isOurs)
    }
  }
  return most
}

// Short names stand for long ones: `read-3` for `read-0000000003`.
function turned(names: readonly string[], own: string, rule: LockOrder): unknown {
  const turn = positionOf(names.map(named), named(own), rule)
  return turn.kind === 'behind' ? { ...turn, watched: turn.watched.map(short) } : turn
}

function named(name: string): string {
  const [kind = '', sequence = ''] = name.split('-')
  return `${kind}-${sequence.padStart(10, '0')}`
}

function short(name: string): string {
  const [kind = '', sequence = ''] = name.split('-')
  return `${kind}-${Number(sequence)}`
}
