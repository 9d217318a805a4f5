import { expect, test } from 'vitest'
import { ms, quantile } from '../../src/harness/stats.ts'

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
