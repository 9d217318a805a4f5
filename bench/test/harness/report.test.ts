import { expect, test } from 'vitest'
import { describeViolations, guaranteeSummary } from '../../src/harness/report.ts'

test('violated guarantees are counted, the others are not named', () => {
  expect(describeViolations([])).toBe('')
  expect(
    describeViolations([
      [2, 'lost'],
      [0, 'twice'],
      [1, 'never settled'],
    ]),
  ).toBe('2 lost, 1 never settled')
})

test('a demo says that all guarantees held only when no part violated one', () => {
  expect(guaranteeSummary('ours', ['', ''])).toBe('ours: all guarantees held.')
  expect(guaranteeSummary('ours', ['', '2 lost'])).toBe('ours: VIOLATED: 2 lost')
})
