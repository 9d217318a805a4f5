import { expect, test } from 'vitest'
import { checkMemory } from '../../src/model/validation.ts'

test('too little memory is refused with both numbers and a way out', () => {
  expect(() => checkMemory(500, 3, 'galera')).toThrow(
    '3 nodes need 600 MiB of memory and 500 MiB are available; end other programs, or run: hactl up galera --nodes 1',
  )
})

test('enough memory passes, and so does not knowing', () => {
  expect(() => checkMemory(600, 3, 'galera')).not.toThrow()
  expect(() => checkMemory(undefined, 3, 'galera')).not.toThrow()
})
