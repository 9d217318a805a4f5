import { expect, test } from 'vitest'
import { checkName, nodeNames } from '../../src/model/validation.ts'

test('a count becomes numbered names', () => {
  expect(nodeNames(3, 'rabbit', 7)).toEqual(['rabbit1', 'rabbit2', 'rabbit3'])
})

test('given names are kept in their order', () => {
  expect(nodeNames(['blue', 'amber'], 'rabbit', 7)).toEqual(['blue', 'amber'])
})

test('two nodes with one name are refused by that name', () => {
  expect(() => nodeNames(['a', 'b', 'a'], 'rabbit', 7)).toThrow("two nodes have the name 'a'")
})

test.each([0, -1, 1.5, 8, Number.NaN])('%d nodes are refused', (count) => {
  expect(() => nodeNames(count, 'rabbit', 7)).toThrow('expected 1 to 7 nodes')
})

test.each(['', 'Big', '1st', 'a.b', 'a b', '../x', 'x'.repeat(32)])("'%s' cannot name a lab", (name) => {
  expect(() => checkName(name, 'lab')).toThrow('is not a valid lab name')
})
