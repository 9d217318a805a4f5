import { expect, test } from 'vitest'
import { locationFor, runWithSandboxIfNeeded } from '../../src/harness/sandbox.ts'

test.each([
  ['inside', ['kill', 'partition'], { kind: 'here', faults: ['kill', 'partition'] }],
  ['available', ['kill', 'partition'], { kind: 'in a sandbox' }],
  ['missing', ['kill', 'partition'], { kind: 'here', faults: ['kill'] }],
  ['missing', ['partition'], { kind: 'nowhere' }],
] as const)('with a sandbox that is %s, %s are played there', (sandbox, wanted, location) => {
  expect(locationFor(wanted, sandbox)).toEqual(location)
})

test('faults that need no sandbox are played at once', async () => {
  const played = await runWithSandboxIfNeeded(['kill', 'pause'], async (faults) => faults.length === 2)
  expect(played).toBe(true)
})
