import { expect, it } from 'vitest'
import { permitAgreement } from '../../src/recipes/semaphore.ts'

it.each([
  ['3', 'agreed'],
  ['', 'unwritten'],
  ['4', 'disagreed'],
  ['03', 'disagreed'],
  ['three', 'disagreed'],
])('three permits, and the node says %j: %s', (written, agreement) => {
  expect(permitAgreement(3, written)).toBe(agreement)
})
