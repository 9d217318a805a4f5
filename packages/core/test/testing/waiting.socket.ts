import { expect, it } from 'vitest'
import { pause, until } from '../../src/testing/fake-clock.ts'

it('goes on when what it waits for is so', async () => {
  let looks = 0
  await until('it was looked at three times', () => ++looks === 3)
  expect(looks).toBe(3)
})

it('says what it waited for when the time is up', async () => {
  await expect(until('pigs fly', () => false, 1)).rejects.toThrow('timed out waiting until pigs fly')
})

it('lets so much time pass', async () => {
  const before = performance.now()
  await pause(20)
  // A timer may fire a fraction of a millisecond before its time.
  expect(performance.now() - before).toBeGreaterThan(18)
})
