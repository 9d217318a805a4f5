import { expect, test } from 'vitest'
import { brokenWords, keptSentence } from '../../src/harness/broken.ts'

test('promises that were broken are counted in words, kept ones are not named', () => {
  expect(brokenWords([])).toBe('')
  expect(
    brokenWords([
      [2, 'lost'],
      [0, 'twice'],
      [1, 'never settled'],
    ]),
  ).toBe('2 lost, 1 never settled')
})

test('a demo says that every promise was kept only when no act broke one', () => {
  expect(keptSentence('ours', ['', ''])).toBe('ours: every promise kept.')
  expect(keptSentence('ours', ['', '2 lost'])).toBe('ours: NOT KEPT: 2 lost')
})
