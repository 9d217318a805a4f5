import { describe, expect, it } from 'vitest'
import { openClientHarness, settledWithin } from '../client-harness.ts'
import { contentsOf, openHarness, sessionMs } from '../harness.ts'

const blockedMs = 1.5 * sessionMs

describe('Z5: the client stands still for one and a half sessions', () => {
  it('knows in its first statement afterwards that its lease is over', async () => {
    await using harness = await openClientHarness()
    const { clock } = harness
    const lease = await settledWithin(clock, 2_000, harness.client().lock('/lock').acquire())
    const before = lease.valid()
    const seen: { valid: boolean; told: boolean }[] = []
    // Of all overdue timers, this one is the first: it precedes all timers of the client.
    clock.after(0.001, () => seen.push({ told: lease.signal.aborted, valid: lease.valid() }))
    await clock.block(blockedMs)
    expect({ before, seen }).toEqual({ before: true, seen: [{ told: false, valid: false }] })
    expect(() => lease.assert()).toThrow(expect.objectContaining({ code: 'lease-over' }))
  })

  it('does nothing afterwards that was waiting for a connection under the old lease', async () => {
    await using harness = await openClientHarness()
    const { clock, ensemble } = harness
    const zk = harness.client({ operationTimeoutMs: 1_500 })
    await settledWithin(clock, 2_000, zk.create('/store'))
    const lease = await settledWithin(clock, 2_000, zk.lock('/lock').acquire())
    for (const node of ensemble.nodes) node.cut()
    await clock.advance(2_900)
    const queued = zk.create('/store/late', lease.token.toString()).catch((error: unknown) => error)
    await clock.block(blockedMs)
    for (const node of ensemble.nodes) node.heal()
    await clock.advance(10_000)
    expect(await queued).toMatchObject({ code: 'timed-out', outcome: 'not-done' })
    expect([...contentsOf(harness, '/store').keys()]).toEqual([])
  })

  it('leaves the line that it waited in, and stands at its end again', async () => {
    await using harness = await openHarness()
    const holder = harness.member()
    const waiter = harness.member()
    const held = await harness.inTime(holder.client.lock('/lock').acquire())
    const wanted = waiter.client.lock('/lock').acquire({ timeoutMs: 60_000 })
    await harness.clock.advance(1_000)
    const before = waiter.client.session?.id
    waiter.host.freeze()
    await harness.clock.advance(blockedMs)
    waiter.host.thaw()
    await harness.clock.advance(1_000)
    void held.release()
    const lease = await harness.inTime(wanted)
    expect(waiter.client.session?.id).not.toBe(before)
    expect(harness.ensemble.tree().get(lease.path)?.stat.ephemeralOwner).toBe(waiter.client.session?.id)
    expect(lease.valid()).toBe(true)
  })
})
