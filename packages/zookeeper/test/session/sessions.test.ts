import { FakeClock } from '@ha/core/testing'
import { expect, it } from 'vitest'
import type { SessionGrant } from '../../src/connection/handshake.ts'
import { SessionManager } from '../../src/session/session-manager.ts'

it('remembers which sessions were its own, as many as the servers can still have', () => {
  const sessions = new SessionManager({
    clock: new FakeClock(),
    timeoutMs: 4_000,
    onEnded: () => undefined,
    onStarted: () => undefined,
  })
  const last = 2_000
  for (let n = 1; n <= last; n++) sessions.sessionGranted(grant(BigInt(n)))

  expect([1n, BigInt(last - 1), BigInt(last)].map((id) => sessions.isFormerSession(id))).toEqual([
    false,
    true,
    false,
  ])
})

function grant(sessionId: bigint): SessionGrant {
  return { sessionId, password: Buffer.alloc(16), timeoutMs: 4_000, resumed: false, askedAtMs: 0 }
}
