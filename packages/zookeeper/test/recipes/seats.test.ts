import { expect, it } from 'vitest'
import { agreementOn } from '../../src/recipes/seats.ts'

it.each([
  ['3', 'agreed'],
  ['', 'unwritten'],
  ['4', 'disagreed'],
  ['03', 'disagreed'],
  ['three', 'disagreed'],
])('three seats, and the node says %j: %s', (written, agreement) => {
  expect(agreementOn(3, written)).toBe(agreement)
})
