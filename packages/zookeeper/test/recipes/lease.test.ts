import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Lease } from '../../src/recipes/lock-node.ts'
import { type Harness, type Member, openHarness, sessionMs, tickMs } from '../harness.ts'

let harness: Harness
let ours: Member
let theirs: Member
let lease: Lease

beforeEach(async () => {
  harness = await openHarness()
  ours = harness.member()
  theirs = harness.member()
  lease = await harness.inTime(ours.client.lock('/l').acquire())
})

afterEach(() => harness.close())

describe('a lease', () => {
  it('is valid for as long as servers answer', async () => {
    await harness.clock.advance(10 * sessionMs)

    expect(lease.valid()).toBe(true)
    expect(lease.valid(sessionMs / 3)).toBe(true)
    expect(lease.valid(sessionMs)).toBe(false)
    expect(lease.signal.aborted).toBe(false)
  })

  it('carries the transaction that made its node', () => {
    expect(harness.ensemble.tree().get(lease.path)?.stat.czxid).toBe(lease.token)
  })

  it('is over in the first statement after a freeze that was too long', async () => {
    ours.host.freeze()
    await harness.clock.advance(1.5 * sessionMs)
    ours.host.thaw()

    expect(lease.signal.aborted).toBe(false)
    expect(lease.valid()).toBe(false)
    expect(lease.signal.aborted).toBe(true)
  })

  it('is still valid after a freeze that was not', async () => {
    ours.host.freeze()
    await harness.clock.advance(sessionMs / 3)
    ours.host.thaw()

    expect(lease.valid()).toBe(true)
    await harness.clock.advance(2 * sessionMs)
    expect(lease.valid()).toBe(true)
  })

  it('is over by our own clock, before anybody else can have it', async () => {
    const rival = theirs.client.lock('/l').acquire({ timeoutMs: 60_000 })
    const overAtMs = firedAt(lease.signal)
    ours.host.cut()
    const sinceMs = harness.clock.now()

    const next = await harness.inTime(rival)
    const nextAtMs = harness.clock.now()

    expect(overAtMs()).toBeGreaterThan(sinceMs + sessionMs / 2)
    expect(overAtMs()).toBeLessThanOrEqual(sinceMs + sessionMs)
    expect(nextAtMs).toBeGreaterThan(overAtMs())
    expect(nextAtMs).toBeLessThanOrEqual(sinceMs + sessionMs + 2 * tickMs)
    expect(next.token).toBeGreaterThan(lease.token)
  })

  it('is kept when its server freezes and another one takes the session', async () => {
    const { id } = ours.client.session ?? {}
    harness.ensemble.nodeOf(id ?? 0n)?.freeze()
    await harness.clock.advance(3 * sessionMs)

    expect(ours.client.session?.id).toBe(id)
    expect(lease.valid()).toBe(true)
  })

  it('is over when somebody deletes its node', async () => {
    await harness.inTime(theirs.client.delete(lease.path))
    await harness.clock.advance(10)

    expect(lease.signal.aborted).toBe(true)
    expect(lease.valid()).toBe(false)
    expect(() => lease.assert()).toThrow(`the lease ${lease.path} is over: another client deleted its node`)
  })

  const disturbances = {
    'is answered late': { do: 'delay', delayMs: 900 },
    'meets the end of the connection': { do: 'cut', how: 'reset' },
  } as const

  it.each(Object.entries(disturbances))(
    'is over before a rival has it when somebody deletes its node, also when the next question %s',
    async (_, disturbance) => {
      const rival = theirs.client.lock('/l').acquire({ timeoutMs: 60_000 })
      await harness.clock.advance(200)
      harness.ensemble.script({ when: { op: 'exists', path: lease.path, times: 1 }, ...disturbance })
      let both = false
      const watching = rival.then((next) => {
        both = next.valid() && lease.valid()
      })
      void harness.member().client.delete(lease.path)
      await harness.inTime(watching)

      expect(both).toBe(false)
    },
  )

  it('is not over when somebody writes into its node, and goes all the same', async () => {
    await harness.inTime(theirs.client.set(lease.path, 'hello'))
    await harness.clock.advance(10)
    expect(lease.valid()).toBe(true)

    await harness.inTime(lease.release())

    expect(harness.childrenOf('/l')).toEqual([])
  })

  it('is over at once when it is released, and its node is gone', async () => {
    const released = lease.release()

    expect(lease.valid()).toBe(false)
    await harness.inTime(released)
    expect(harness.childrenOf('/l')).toEqual([])
    await harness.inTime(lease.release())
  })

  it('is released without a connection, and its node goes when there is one again', async () => {
    ours.host.cut()
    await harness.clock.advance(10)

    await harness.inTime(lease.release())
    expect(harness.childrenOf('/l')).toHaveLength(1)
    ours.host.heal()
    await harness.clock.advance(sessionMs)

    expect(harness.childrenOf('/l')).toEqual([])
  })

  it('is over when the client is closed', async () => {
    await harness.inTime(ours.client.close())

    expect(lease.signal.aborted).toBe(true)
    expect(lease.valid()).toBe(false)
  })

  it('says why when it is asserted', async () => {
    lease.assert()
    expect(() => lease.assert(sessionMs)).toThrow(/certain for less than 4000 ms more/)
    ours.host.cut()
    await harness.clock.advance(2 * sessionMs)

    expect(() => lease.assert()).toThrow(
      expect.objectContaining({ code: 'lease-over', cause: lease.signal.reason }),
    )
  })
})

function firedAt(signal: AbortSignal): () => number {
  let atMs = Number.NaN
  signal.addEventListener('abort', () => {
    atMs = harness.clock.now()
  })
  return () => atMs
}
