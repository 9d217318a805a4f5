import { expect, test } from 'vitest'
import { detectMsOf } from '../../src/mariadb/cluster.ts'

test.each([
  [undefined, 1_000],
  ['2s', 2_000],
  ['500ms', 500],
  ['default', undefined],
])('--detect %s', (given, expected) => {
  expect(detectMsOf(given, 1_000)).toBe(expected)
})

test('another word is answered with those that are known', () => {
  expect(() => detectMsOf('soon', 1_000)).toThrow(
    "--detect: expected a time like 1s or 500ms, or default, got 'soon'",
  )
})
