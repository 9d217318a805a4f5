import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  afterOutcome,
  afterPick,
  ejectedUntilMs,
  initialOutlierState,
  type OutlierDetectionOptions,
  type OutlierState,
  withoutEjected,
} from '../../src/discovery/outlier-detection.ts'
import { idsOf, instance } from './instances.ts'

const rules: OutlierDetectionOptions = { errors: 2, restMs: 20_000 }

type Step = readonly ['ok' | 'error' | 'pick', number]

function after(...steps: readonly Step[]): OutlierState {
  return steps.reduce<OutlierState>(
    (standing, [what, atMs]) =>
      what === 'pick' ? afterPick(standing, atMs, rules) : afterOutcome(standing, what, atMs, rules),
    initialOutlierState,
  )
}

const isLeftOut = (standing: OutlierState, nowMs: number): boolean =>
  ejectedUntilMs(standing, nowMs) !== undefined

describe('the standing of an instance', () => {
  it.each<[string, readonly Step[], number, boolean]>([
    ['is good after one error', [['error', 0]], 1, false],
    [
      'is bad after two',
      [
        ['error', 0],
        ['error', 1],
      ],
      2,
      true,
    ],
    [
      'is good after two with a success between them',
      [
        ['error', 0],
        ['ok', 1],
        ['error', 2],
      ],
      3,
      false,
    ],
    [
      'is good after two with a whole rest between them',
      [
        ['error', 0],
        ['error', 20_001],
      ],
      20_002,
      false,
    ],
    [
      'is not mended by an answer from before',
      [
        ['error', 0],
        ['error', 1],
        ['ok', 2],
      ],
      3,
      true,
    ],
    [
      'is open to a trial after the rest',
      [
        ['error', 0],
        ['error', 0],
      ],
      20_000,
      false,
    ],
    [
      'is bad for all others during the trial',
      [
        ['error', 0],
        ['error', 0],
        ['pick', 20_000],
      ],
      20_001,
      true,
    ],
    [
      'is open to another trial when nobody says how the first one ended',
      [
        ['error', 0],
        ['error', 0],
        ['pick', 20_000],
      ],
      40_000,
      false,
    ],
    [
      'is good after a trial that went well',
      [
        ['error', 0],
        ['error', 0],
        ['pick', 20_000],
        ['ok', 20_001],
      ],
      20_002,
      false,
    ],
    [
      'is bad for another rest after a trial that failed',
      [
        ['error', 0],
        ['error', 0],
        ['pick', 20_000],
        ['error', 20_100],
      ],
      40_099,
      true,
    ],
    [
      'does not change by being picked while it is good',
      [
        ['error', 0],
        ['pick', 1],
        ['error', 2],
      ],
      3,
      true,
    ],
  ])('%s', (_, steps, nowMs, leftOut) => {
    expect(isLeftOut(after(...steps), nowMs)).toBe(leftOut)
  })

  it('forgets all errors with the trial', () => {
    const mended = after(['error', 0], ['error', 0], ['pick', 20_000], ['ok', 20_001])
    expect(isLeftOut(afterOutcome(mended, 'error', 20_002, rules), 20_003)).toBe(false)
  })
})

describe('an instance that fails now and then', () => {
  const five: OutlierDetectionOptions = { ...rules, errors: 5 }
  const outcomes = fc.array(fc.boolean(), { maxLength: 200 })

  it('is left out exactly when so many calls in a row have failed', () => {
    fc.assert(
      fc.property(outcomes, (oks) => {
        const standing = oks.reduce(
          (before, ok, atMs) => afterOutcome(before, ok ? 'ok' : 'error', atMs, five),
          initialOutlierState,
        )
        const fiveInARow = oks.some((_, at) => at >= 4 && !oks.slice(at - 4, at + 1).includes(true))
        expect(isLeftOut(standing, oks.length)).toBe(fiveInARow)
      }),
    )
  })
})

describe('those who may be picked', () => {
  const four = ['a', 'b', 'c', 'd'].map((id) => instance(id))
  const until = (times: Readonly<Record<string, number>>) => (of: { readonly id: string }) => times[of.id]

  it('are all, as long as none is left out', () => {
    expect(idsOf(withoutEjected(four, until({})))).toEqual(['a', 'b', 'c', 'd'])
  })

  it('are those who are not left out', () => {
    expect(idsOf(withoutEjected(four, until({ b: 5 })))).toEqual(['a', 'c', 'd'])
  })

  it('are not those who are out of service', () => {
    expect(
      idsOf(withoutEjected([instance('a', { status: 'out-of-service' }), instance('b')], until({}))),
    ).toEqual(['b'])
  })

  it('are never fewer than half: who was left out first is used again first', () => {
    expect(idsOf(withoutEjected(four, until({ a: 3, b: 9, c: 1, d: 5 })))).toEqual(['a', 'c'])
  })

  it('are a single one, whatever it has done', () => {
    expect(idsOf(withoutEjected([instance('a')], until({ a: 5 })))).toEqual(['a'])
  })

  it('are at least half of those who want to be used, whoever is left out', () => {
    const any = fc.array(fc.record({ up: fc.boolean(), untilMs: fc.option(fc.nat(), { nil: undefined }) }))
    fc.assert(
      fc.property(any, (list) => {
        const instances = list.map(({ up }, at) =>
          instance(`${at}`, { status: up ? 'up' : 'out-of-service' }),
        )
        const picked = withoutEjected(instances, ({ id }) => list[Number(id)]?.untilMs)
        const wanted = list.filter(({ up }) => up).length
        expect(picked.length).toBeGreaterThanOrEqual(Math.ceil(wanted / 2))
        expect(picked.every(({ status }) => status === 'up')).toBe(true)
      }),
    )
  })
})
