import { describe, expect, it } from 'vitest'
import { Agreement, asksLeader, confirms, isLeaders } from '../../src/connection/agreement.ts'
import { opcodes } from '../../src/driver/opcodes.ts'

const timeoutMs = 12_000

describe('what the leader must have known', () => {
  it('is the handshake at first', () => {
    expect(new Agreement(500, timeoutMs).agreedAtMs).toBe(500)
  })

  it('is nothing more while only the server answers', () => {
    const agreement = new Agreement(0, timeoutMs)
    for (let atMs = 1_000; atMs <= 30_000; atMs += 1_000)
      agreement.answered({ sentAtMs: atMs, answeredAtMs: atMs }, false)
    expect(agreement.agreedAtMs).toBe(0)
  })

  it('is what was answered a quarter of the timeout before a word of the leader', () => {
    const agreement = new Agreement(0, timeoutMs)
    for (const atMs of [2_000, 4_000, 6_000])
      agreement.answered({ sentAtMs: atMs, answeredAtMs: atMs }, false)
    agreement.answered({ sentAtMs: 7_500, answeredAtMs: 7_500 }, true)
    expect(agreement.agreedAtMs).toBe(4_000)
  })

  it('is not what was answered shortly before: a follower that died then had told the leader nothing of it', () => {
    const agreement = new Agreement(0, timeoutMs)
    agreement.answered({ sentAtMs: 5_000, answeredAtMs: 5_000 }, false)
    agreement.answered({ sentAtMs: 7_999, answeredAtMs: 7_999 }, true)
    expect(agreement.agreedAtMs).toBe(0)
    agreement.answered({ sentAtMs: 8_000, answeredAtMs: 8_000 }, true)
    expect(agreement.agreedAtMs).toBe(5_000)
  })

  it('follows the leader’s words one after the other', () => {
    const agreement = new Agreement(0, timeoutMs)
    for (let atMs = 2_000; atMs <= 40_000; atMs += 2_000)
      agreement.answered({ sentAtMs: atMs, answeredAtMs: atMs }, true)
    expect(agreement.agreedAtMs).toBe(36_000)
  })

  it('is not what was sent early and reached the server late', () => {
    const agreement = new Agreement(0, timeoutMs)
    agreement.answered({ sentAtMs: 2_000, answeredAtMs: 7_000 }, false)
    agreement.answered({ sentAtMs: 6_900, answeredAtMs: 7_000 }, true)
    expect(agreement.agreedAtMs).toBe(0)
  })

  it('never goes back', () => {
    const agreement = new Agreement(0, timeoutMs)
    agreement.answered({ sentAtMs: 2_000, answeredAtMs: 2_000 }, true)
    agreement.answered({ sentAtMs: 10_000, answeredAtMs: 10_000 }, true)
    agreement.answered({ sentAtMs: 3_000, answeredAtMs: 3_000 }, true)
    expect(agreement.agreedAtMs).toBe(2_000)
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
    expect(asksLeader(opcodes[name])).toBe(true)
  })

  it.each(['exists', 'getData', 'getChildren2', 'getAcl', 'ping', 'setWatches'] as const)(
    'is not the answer to %s',
    (name) => {
      expect(asksLeader(opcodes[name])).toBe(false)
    },
  )
})

describe('a no', () => {
  it('is the leader’s word when it is about a node, and not when the server turns the request away', () => {
    expect(isLeaders(opcodes.setData, -103)).toBe(true)
    expect(isLeaders(opcodes.setData, -127)).toBe(false)
  })
})

describe('a session', () => {
  it('is confirmed by a no that is about a node, and not by one that denies it', () => {
    expect(confirms({ xid: 7, err: -101 })).toBe(true)
    expect(confirms({ xid: 7, err: -112 })).toBe(false)
  })
})
