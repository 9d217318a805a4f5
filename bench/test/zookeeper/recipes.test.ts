import { expect, test } from 'vitest'
import type { StoreWrite } from '../../src/zookeeper/fenced-store.ts'
import type { LeaseRecord } from '../../src/zookeeper/recipe-clients.ts'
import { checkLeases } from '../../src/zookeeper/recipes.ts'

const hold = (token: bigint, fromMs: number, validUntilMs: number, endedAtMs?: number): LeaseRecord => ({
  by: `holder of ${token}`,
  token,
  fromMs,
  validUntilMs,
  endedAtMs,
})

const write = (token: bigint, isClaimed: boolean, isAccepted: boolean): StoreWrite => ({
  atMs: 0,
  by: 'somebody',
  token,
  isClaimed,
  isAccepted,
})

test('leases that follow each other are well', () => {
  const holds = [hold(1n, 0, 10, 11), hold(2n, 12, 20, 21)]
  expect(checkLeases(holds, [], [])).toMatchObject({ acquired: 2, overlaps: 0, signalledLate: 0 })
})

test('two that are valid at one instant are seen, whatever is between their beginnings', () => {
  const holds = [hold(1n, 0, 30, 31), hold(2n, 10, 12, 13), hold(3n, 20, 25, 26)]
  expect(checkLeases(holds, [], []).overlaps).toBe(2)
})

test.each([15, undefined])('a signal at %s that a rival was faster than is late', (endedAtMs) => {
  const holds = [hold(1n, 0, 10, endedAtMs), hold(2n, 12, 20, 21)]
  expect(checkLeases(holds, [], []).signalledLate).toBe(1)
})

test('writes are counted by when their leases were had, not by their tokens nor by what the store did', () => {
  const holds = [hold(1n, 0, 10, 11), hold(2n, 40, 50, 51), hold(3n, 20, 30, 31)]
  const writes = [
    write(1n, true, true),
    write(3n, true, true),
    write(1n, false, false),
    write(2n, true, false),
    write(3n, false, true),
  ]
  expect(checkLeases(holds, writes, [])).toMatchObject({
    rejectedStale: 1,
    acceptedStale: 1,
    rejectedValid: 1,
  })
})
