import { expect, it } from 'vitest'
import { CallDeadline } from '../../src/operations/call-options.ts'

// Found with a lock whose folder was missing: its calls have the longest timeout of a timer.
it('what is left of a call is never more than the whole, whatever fractions the time is made of', () => {
  const timeoutMs = 2_147_483_647
  const beginnings = Array.from({ length: 1_000 }, (_, i) => 20_000 + i / 7)
  const left = beginnings.map(
    (nowMs) => new CallDeadline({ timeoutMs, signal: undefined }, () => nowMs).remaining,
  )

  expect(Math.max(...left.map((call) => call.timeoutMs))).toBe(timeoutMs)
})
