import { FakeClock } from '@ha/core/testing'
import { expect, it } from 'vitest'
import type { Granted } from '../../src/connection/handshake.ts'
import { OwnSessions } from '../../src/session/sessions.ts'

it('remembers which sessions were its own, as many as the servers can still have', () => {
  const sessions = new OwnSessions({
    clock: new FakeClock(),
    timeoutMs: 4_000,
    onOver: () => undefined,
    onBegun: () => undefined,
  })
  const last = 2_000
  for (let n = 1; n <= last; n++) sessions.granted(grant(BigInt(n)))

  expect([1n, BigInt(last - 1), BigInt(last)].map((id) => sessions.wasOurs(id))).toEqual([false, true, false])
})

function grant(sessionId: bigint): Granted {
  return { sessionId, password: Buffer.alloc(16), timeoutMs: 4_000, resumed: false, askedAtMs: 0 }
}
