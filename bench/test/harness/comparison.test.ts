import { expect, test } from 'vitest'
import {
  type ComparedClient,
  type ComparedFault,
  darkColumns,
  resultsOf,
  sumColumn,
} from '../../src/harness/comparison.ts'

const compared = (
  name: string,
  darkMs: number | undefined,
  unhandled: readonly string[] = [],
): ComparedClient => ({
  name,
  darkMs,
  unhandled,
})
const group: readonly ComparedFault<ComparedClient>[] = [
  { floorMs: 100, clients: [compared('a', 200), compared('b', undefined, ['x', 'y'])] },
  { floorMs: 300, clients: [compared('a', 400), compared('b', 900, ['z'])] },
]
const row = (client: string) => darkColumns('dark').map(([, cell]) => cell(group, client))

test('a client is checked by its own silences, beside the floor of the same faults', () => {
  expect(row('a')).toEqual(['2', '300 ms', '400 ms', '200 ms'])
})

test('one that did not come back once has no worst number', () => {
  expect(row('b')).toEqual(['2', 'never', 'never', '200 ms'])
})

test('what is added up is that of one client', () => {
  const [, cell] = sumColumn<ComparedClient>('unhandled', ({ unhandled }) => unhandled.length)

  expect([cell(group, 'a'), cell(group, 'b')]).toEqual(['0', '3'])
  expect(resultsOf(group, 'b')).toHaveLength(2)
})
