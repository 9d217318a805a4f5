import { expect, test } from 'vitest'
import { checkFaultMs, checkWaitMs } from '../../src/model/validation.ts'

test.each([Number.POSITIVE_INFINITY, Number.NaN, 0, -1, 1.5, 604_800_001, null, '5s'])(
  'a fault of %s ms is refused with what was expected',
  (forMs) => {
    expect(() => checkFaultMs(forMs, 'pause.forMs', 5)).toThrow(
      'pause.forMs: expected a whole number of milliseconds from 1 to 604800000',
    )
  },
)

test('what was not given takes its default', () => {
  expect(checkFaultMs(undefined, 'pause.forMs', 5)).toBe(5)
  expect(checkWaitMs(undefined, 'ready.timeoutMs', 7)).toBe(7)
})

test('a wait without end is refused', () => {
  expect(() => checkWaitMs(Number.POSITIVE_INFINITY, 'ready.timeoutMs', 7)).toThrow('from 1 to 86400000')
})
