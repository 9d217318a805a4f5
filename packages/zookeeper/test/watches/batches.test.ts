import { expect, it } from 'vitest'
import { WatchTable } from '../../src/watches/watch-table.ts'
import { watchBatches } from '../../src/watches/watches.ts'

const ignore = (): void => undefined
const large = (name: string): string => `/${name}${'p'.repeat(100_000)}`

it('what is not watched any more when its request is made is not set', () => {
  const table = new WatchTable()
  for (const name of ['a', 'b', 'c']) table.addRecursive(large(name), ignore)
  const sets = watchBatches(table.paths())
  const first = sets.next()
  table.removeRecursive(large('c'), ignore)

  const rest = [...sets]

  expect(first.value).toMatchObject({ recursive: [large('a')] })
  expect(rest.map(({ recursive }) => recursive)).toEqual([[large('b')]])
})
