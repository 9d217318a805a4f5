import { expect, test } from 'vitest'
import { darkColumns, type Faced, type Faring, faredOf, sumColumn } from '../../src/harness/comparison.ts'

const faring = (name: string, darkMs: number | undefined, unhandled: readonly string[] = []): Faring => ({
  name,
  darkMs,
  unhandled,
})
const group: readonly Faced<Faring>[] = [
  { floorMs: 100, fared: [faring('a', 200), faring('b', undefined, ['x', 'y'])] },
  { floorMs: 300, fared: [faring('a', 400), faring('b', 900, ['z'])] },
]
const row = (client: string) => darkColumns('dark').map(([, cell]) => cell(group, client))

test('a client is judged by its own silences, beside the floor of the same faults', () => {
  expect(row('a')).toEqual(['2', '300 ms', '400 ms', '200 ms'])
})

test('one that did not come back once has no worst number', () => {
  expect(row('b')).toEqual(['2', 'never', 'never', '200 ms'])
})

test('what is added up is that of one client', () => {
  const [, cell] = sumColumn<Faring>('unhandled', ({ unhandled }) => unhandled.length)

  expect([cell(group, 'a'), cell(group, 'b')]).toEqual(['0', '3'])
  expect(faredOf(group, 'b')).toHaveLength(2)
})
