import { FakeClock } from '@ha/core/testing'
import { expect, it } from 'vitest'
import type { SessionGrant } from '../../src/connection/handshake.ts'
import { Session } from '../../src/session/session.ts'

const first: SessionGrant = {
  sessionId: 7n,
  password: Buffer.alloc(16),
  timeoutMs: 10_000,
  resumed: false,
  askedAtMs: 0,
}

it.each([
  { granted: 'less', timeoutMs: 4_000, overAtMs: 5_000 },
  { granted: 'more', timeoutMs: 20_000, overAtMs: 21_000 },
])('a session that is granted again for $granted is given up by what was granted last', async (then) => {
  const clock = new FakeClock()
  let givenUpAtMs: number | undefined
  const onUncertain = (): void => {
    givenUpAtMs = clock.now()
  }
  const current = new Session({ grant: first, epoch: 1, clock, onExpired: onUncertain })
  await clock.advance(1_000)
  current.renewGrant({ ...first, resumed: true, askedAtMs: 1_000, timeoutMs: then.timeoutMs })

  await clock.advance(30_000)

  expect(givenUpAtMs).toBe(then.overAtMs)
})
