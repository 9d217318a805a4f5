import { expect, test } from 'vitest'
import { isLater, isPosition } from '../../src/read-your-writes.ts'

test.each([
  ['0-1-7', '0-1-5', true],
  ['0-2-5', '0-1-7', false],
  ['1-1-1', '0-1-7', true],
  ['0-1-9007199254740993', '0-1-9007199254740992', true],
  ['0-1-7', '0-1-7', false],
])('%s is later than %s: %s', (a, b, expected) => {
  expect(isLater(a, b)).toBe(expected)
})

test.each([
  ['0-1-5', true],
  ['', false],
  ['0-0-0', false],
  [undefined, false],
])('%s is a position: %s', (gtid, expected) => {
  expect(isPosition(gtid)).toBe(expected)
})
