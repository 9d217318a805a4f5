import { describe, expect, it } from 'vitest'
import { nextAction } from '../../src/connection/heartbeat.ts'

// A session of 6 s: a ping after 2 s without a packet of the client, unresponsive after 4 s without one of the server.
const timeoutMs = 6_000

describe('a look at a connection', () => {
  it.each([
    ['waits while both have spoken', 9_000, 9_500, { kind: 'wait', againMs: 1_000 }],
    [
      'pings when nothing was sent for a third of the session',
      8_000,
      9_500,
      { kind: 'ping', againMs: 2_000 },
    ],
    [
      'looks again when the server will have been silent for too long',
      9_500,
      6_500,
      { kind: 'wait', againMs: 500 },
    ],
    ['pings on though the server is nearly given up', 8_000, 6_500, { kind: 'ping', againMs: 500 }],
    [
      'gives the server up after two thirds of the session',
      9_500,
      6_000,
      { kind: 'unresponsive', quietMs: 4_000 },
    ],
  ] as const)('%s', (_, sentAtMs, heardAtMs, expected) => {
    expect(
      nextAction({ sentAtMs, receivedAtMs: heardAtMs, keepsLeaderContact: false }, timeoutMs, 10_000, 10_000),
    ).toEqual(expected)
  })

  it('that comes late gives nobody up: what was sent to us may lie unread', () => {
    const seen = nextAction(
      { sentAtMs: 2_000, receivedAtMs: 2_000, keepsLeaderContact: false },
      timeoutMs,
      4_000,
      10_000,
    )
    expect(seen).toEqual({ kind: 'ping', againMs: 200 })
  })

  it('that keeps the session certain asks after a sixth of it', () => {
    const seen = nextAction(
      { sentAtMs: 9_000, receivedAtMs: 9_900, keepsLeaderContact: true },
      timeoutMs,
      10_000,
      10_000,
    )
    expect(seen).toEqual({ kind: 'ping', againMs: 1_000 })
  })
})
