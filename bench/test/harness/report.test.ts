import { expect, test } from 'vitest'
import { describeViolations, guaranteeSummary } from '../../src/harness/report.ts'

test('promises that were broken are counted in words, kept ones are not named', () => {
  expect(describeViolations([])).toBe('')
  expect(
    describeViolations([
      [2, 'lost'],
      [0, 'twice'],
      [1, 'never settled'],
    ]),
  ).toBe('2 lost, 1 never settled')
})

test('a demo says that every promise was kept only when no act broke one', () => {
  expect(guaranteeSummary('ours', ['', ''])).toBe('ours: every promise kept.')
  expect(guaranteeSummary('ours', ['', '2 lost'])).toBe('ours: NOT KEPT: 2 lost')
})
