import { expect, test } from 'vitest'
import { darkMs, longestSilences, ms, quantile } from '../../src/harness/stats.ts'

test.each([
  [[], 0.99, undefined],
  [[7], 0.99, 7],
  [[1, 3], 0.5, 2],
  [[30, 10, 20], 1, 30],
])('of %j the share %d lies below %s', (values, share, expected) => {
  expect(quantile(values, share)).toBe(expected)
})

test('what never came is told as never', () => {
  expect([ms(undefined), ms(Number.POSITIVE_INFINITY), ms(1_234)]).toEqual(['never', 'never', '1 234 ms'])
})

test.each([
  ['the time until the first sign of life', [500, 1_200, 1_210], 200],
  ['the longest silence before the healing, not only the first', [1_010, 1_050, 1_900, 1_910], 850],
  ['also one that the healing ended', [1_010, 1_900, 4_900], 3_000],
  ['nothing that began after the healing', [1_010, 1_400, 1_800, 2_200, 9_000], 400],
  ['never, when nothing came', [500], undefined],
])('the dark time is %s', (_, instants, expected) => {
  expect(darkMs(instants, 1_000, 2_000)).toBe(expected)
})

test('the longest silences are told with when they began', () => {
  expect(longestSilences([900, 1_010, 1_100, 1_800], 1_000, 2)).toEqual([
    { afterFaultMs: 100, lastedMs: 700 },
    { afterFaultMs: 10, lastedMs: 90 },
  ])
})
