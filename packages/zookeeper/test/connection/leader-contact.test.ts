import { describe, expect, it } from 'vitest'
import {
  confirmsSession,
  isLeaderRequest,
  isLeaderResponse,
  LeaderContact,
} from '../../src/connection/heartbeat.ts'
import { opcodes } from '../../src/protocol/requests.ts'

const timeoutMs = 12_000

describe('what the leader must have known', () => {
  it('is the handshake at first', () => {
    expect(new LeaderContact(500, timeoutMs).contactAtMs).toBe(500)
  })

  it('is nothing more while only the server answers', () => {
    const agreement = new LeaderContact(0, timeoutMs)
    for (let atMs = 1_000; atMs <= 30_000; atMs += 1_000)
      agreement.responseReceived({ sentAtMs: atMs, answeredAtMs: atMs }, false)
    expect(agreement.contactAtMs).toBe(0)
  })

  it('is what was answered a quarter of the timeout before a word of the leader', () => {
    const agreement = new LeaderContact(0, timeoutMs)
    for (const atMs of [2_000, 4_000, 6_000])
      agreement.responseReceived({ sentAtMs: atMs, answeredAtMs: atMs }, false)
    agreement.responseReceived({ sentAtMs: 7_500, answeredAtMs: 7_500 }, true)
    expect(agreement.contactAtMs).toBe(4_000)
  })

  it('is not what was answered shortly before: a follower that died then had told the leader nothing of it', () => {
    const agreement = new LeaderContact(0, timeoutMs)
    agreement.responseReceived({ sentAtMs: 5_000, answeredAtMs: 5_000 }, false)
    agreement.responseReceived({ sentAtMs: 7_999, answeredAtMs: 7_999 }, true)
    expect(agreement.contactAtMs).toBe(0)
    agreement.responseReceived({ sentAtMs: 8_000, answeredAtMs: 8_000 }, true)
    expect(agreement.contactAtMs).toBe(5_000)
  })

  it('follows the leader’s words one after the other', () => {
    const agreement = new LeaderContact(0, timeoutMs)
    for (let atMs = 2_000; atMs <= 40_000; atMs += 2_000)
      agreement.responseReceived({ sentAtMs: atMs, answeredAtMs: atMs }, true)
    expect(agreement.contactAtMs).toBe(36_000)
  })

  it('is not what was sent early and reached the server late', () => {
    const agreement = new LeaderContact(0, timeoutMs)
    agreement.responseReceived({ sentAtMs: 2_000, answeredAtMs: 7_000 }, false)
    agreement.responseReceived({ sentAtMs: 6_900, answeredAtMs: 7_000 }, true)
    expect(agreement.contactAtMs).toBe(0)
  })

  it('never goes back', () => {
    const agreement = new LeaderContact(0, timeoutMs)
    agreement.responseReceived({ sentAtMs: 2_000, answeredAtMs: 2_000 }, true)
    agreement.responseReceived({ sentAtMs: 10_000, answeredAtMs: 10_000 }, true)
    agreement.responseReceived({ sentAtMs: 3_000, answeredAtMs: 3_000 }, true)
    expect(agreement.contactAtMs).toBe(2_000)
  })
})

describe('a word of the leader', () => {
  it.each([
    'sync',
    'create2',
    'createContainer',
    'createTtl',
    'delete',
    'setData',
    'setAcl',
    'multi',
  ] as const)('is the answer to %s', (name) => {
    expect(isLeaderRequest(opcodes[name])).toBe(true)
  })

  it.each(['exists', 'getData', 'getChildren2', 'getAcl', 'ping', 'setWatches'] as const)(
    'is not the answer to %s',
    (name) => {
      expect(isLeaderRequest(opcodes[name])).toBe(false)
    },
  )
})

describe('a no', () => {
  it('is the leader’s word when it is about a node, and not when the server turns the request away', () => {
    expect(isLeaderResponse(opcodes.setData, -103)).toBe(true)
    expect(isLeaderResponse(opcodes.setData, -127)).toBe(false)
  })
})

describe('a session', () => {
  it('is confirmed by a no that is about a node, and not by one that denies it', () => {
    expect(confirmsSession({ xid: 7, err: -101 })).toBe(true)
    expect(confirmsSession({ xid: 7, err: -112 })).toBe(false)
  })
})
