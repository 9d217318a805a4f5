import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, formatElapsed, parseDuration } from '../../src/model/validation.ts'

test.each([
  ['500ms', 500],
  ['1s', 1000],
  ['1.5s', 1500],
  ['30s', 30_000],
  ['5m', 300_000],
  ['2h', 7_200_000],
])('%s is %d milliseconds', (text, ms) => {
  expect(parseDuration(text, '--for')).toBe(ms)
})

test.each(['', '5', 's', '-1s', '0s', '1d', '1 m s', '0.1ms', '1e3s'])(
  "'%s' is refused with its place",
  (text) => {
    expect(() => parseDuration(text, '--for')).toThrow(/^--for: .* is not a duration; expected a value like/)
  },
)

test('what is formatted reads back as the same duration', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 ** 10 }), (ms) => {
      expect(parseDuration(formatDuration(ms), 'x')).toBe(ms)
    }),
  )
})

test('a duration is spelt in the largest unit that divides it', () => {
  expect([90_000, 300_000, 1500, 3_600_000].map(formatDuration)).toEqual(['90s', '5m', '1500ms', '1h'])
})

test('a measured duration changes its unit at a second', () => {
  expect([840.4, 6234].map(formatElapsed)).toEqual(['840 ms', '6.2 s'])
})
