import { seededRandom } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import type { Instance } from '../../src/discovery/instance.ts'
import { type PickRequest, pickInstance } from '../../src/discovery/load-balancer.ts'
import { instance } from './instances.ts'

const three = ['a', 'b', 'c'].map((id) => instance(id))

function pickers(strategy: PickRequest['strategy'], what: Partial<PickRequest> = {}) {
  const random = seededRandom(1)
  const wish = { strategy, key: undefined, zone: undefined, inFlight: () => 0, random, turn: 0, ...what }
  return (candidates: readonly Instance[], turns: number, keyOf?: (turn: number) => string) =>
    Array.from(
      { length: turns },
      (_, turn) => pickInstance(candidates, { ...wish, picks: turn, key: keyOf?.(turn) })?.id,
    )
}

function shares(ids: readonly (string | undefined)[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const id of ids) counts[String(id)] = (counts[String(id)] ?? 0) + 1
  return counts
}

describe('picking', () => {
  it.each(['round-robin', 'random', 'sticky', 'least-connections', 'zone'] as const)(
    '%s gives nothing of nothing, and the only one of one',
    (strategy) => {
      const pick = pickers(strategy)
      expect([...pick([], 1, () => 'key'), ...pick([instance('a')], 2, () => 'key')]).toEqual([
        undefined,
        'a',
        'a',
      ])
    },
  )

  it('in turn takes one after the other', () => {
    expect(pickers('round-robin')(three, 5)).toEqual(['a', 'b', 'c', 'a', 'b'])
  })

  it('at random takes all of them about as often', () => {
    const counts = Object.values(shares(pickers('random')(three, 3_000)))
    expect(counts.every((count) => count > 900 && count < 1_100)).toBe(true)
  })

  it('least-connections never takes the busiest of two or more', () => {
    const inFlight = ({ id }: Instance): number => (id === 'b' ? 5 : 1)
    expect(shares(pickers('least-connections', { inFlight })(three, 300))).not.toHaveProperty('b')
  })

  it('least-connections spreads calls over those that are equally busy', () => {
    expect(Object.keys(shares(pickers('least-connections')(three, 100))).sort()).toEqual(['a', 'b', 'c'])
  })
})

describe('sticky picking', () => {
  const many = Array.from({ length: 10 }, (_, at) => instance(`node-${at}`))
  const keys = Array.from({ length: 10_000 }, (_, at) => `client-${at}`)
  const owners = (candidates: readonly Instance[]) =>
    pickers('sticky')(candidates, keys.length, (turn) => keys[turn]!)

  it('gives the same one for the same key, in whatever order the list is', () => {
    expect(owners(many)).toEqual(owners([...many].reverse()))
  })

  it('spreads keys evenly', () => {
    const counts = Object.values(shares(owners(many)))
    expect(Math.min(...counts)).toBeGreaterThan(850)
    expect(Math.max(...counts)).toBeLessThan(1_150)
  })

  it('moves only the keys of the one that goes, and to all the others', () => {
    const before = owners(many)
    const after = owners(many.slice(1))
    const moved = keys.flatMap((_, at) => (before[at] === after[at] ? [] : [[before[at], after[at]]]))
    expect(new Set(moved.map(([from]) => from))).toEqual(new Set(['node-0']))
    expect(new Set(moved.map(([, to]) => to)).size).toBe(9)
  })

  it('takes any when there is no key', () => {
    expect(Object.keys(shares(pickers('sticky')(three, 100)))).toHaveLength(3)
  })
})

describe('picking by zone', () => {
  const [a1, a2, b1] = [
    instance('a1', { metadata: { zone: 'a' } }),
    instance('a2', { metadata: { zone: 'a' } }),
    instance('b1', { metadata: { zone: 'b' } }),
  ]
  const pick = pickers('zone', { zone: { name: 'a', atLeast: 2 } })

  it('keeps to the own zone while enough are there', () => {
    expect(shares(pick([a1, a2, b1], 10))).toEqual({ a1: 5, a2: 5 })
  })

  it('takes all zones when too few are left in the own one', () => {
    expect(shares(pick([a1, b1], 10))).toEqual({ a1: 5, b1: 5 })
  })
})
