import { expect, test } from 'vitest'
import { placeFor, runWhereFaultsCanBe } from '../../src/harness/partition.ts'

test.each([
  ['inside', ['kill', 'partition'], { kind: 'here', faults: ['kill', 'partition'] }],
  ['available', ['kill', 'partition'], { kind: 'in a sandbox' }],
  ['missing', ['kill', 'partition'], { kind: 'here', faults: ['kill'] }],
  ['missing', ['partition'], { kind: 'nowhere' }],
] as const)('with a sandbox that is %s, %s are played there', (sandbox, wanted, place) => {
  expect(placeFor(wanted, sandbox)).toEqual(place)
})

test('faults that need no sandbox are played at once', async () => {
  const played = await runWhereFaultsCanBe(['kill', 'pause'], async (faults) => faults.length === 2)
  expect(played).toBe(true)
})
