import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Harness, type Member, openHarness } from '../harness.ts'

let harness: Harness
let ours: Member
let theirs: Member

beforeEach(async () => {
  harness = await openHarness()
  ours = harness.member()
  theirs = harness.member()
})

afterEach(() => harness.close())

describe('a counter', () => {
  it('is 0 before anybody adds', async () => {
    expect(await harness.inTime(ours.client.counter('/c').get())).toBe(0)
  })

  it('gives each sum once when many add at the same time', async () => {
    const sums = Array.from({ length: 10 }, () => [
      ours.client.counter('/deep/c').add(1),
      theirs.client.counter('/deep/c').add(1),
    ]).flat()

    const all = await harness.inTime(Promise.all(sums))

    expect([...all].sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    expect(await harness.inTime(theirs.client.counter('/deep/c').get())).toBe(20)
  })

  it('adds what is negative', async () => {
    await harness.inTime(ours.client.counter('/c').add(5))

    expect(await harness.inTime(ours.client.counter('/c').add(-7))).toBe(-2)
  })

  it('counts what other tools have written', async () => {
    await harness.inTime(ours.client.create('/c', '41'))

    expect(await harness.inTime(ours.client.counter('/c').add(1))).toBe(42)
  })

  it.each(['create2', 'set-data'] as const)('adds once when the answer to a %s is lost', async (op) => {
    if (op === 'set-data') await harness.inTime(theirs.client.create('/c', '0'))
    await harness.inTime(ours.client.ready())
    harness.ensemble.script({ when: { op, path: '/c', times: 1 }, do: 'cut', how: 'reset', at: 'unanswered' })

    expect(await harness.inTime(ours.client.counter('/c').add(3))).toBe(3)
    expect(await harness.inTime(theirs.client.counter('/c').get())).toBe(3)
  })

  it('adds once when the request itself is lost', async () => {
    await harness.inTime(ours.client.create('/c', '0'))
    harness.ensemble.script({
      when: { op: 'set-data', path: '/c', times: 1 },
      do: 'cut',
      how: 'reset',
      at: 'before',
    })

    expect(await harness.inTime(ours.client.counter('/c').add(3))).toBe(3)
  })

  it('says unknown when the answer is lost and others have added since', async () => {
    await harness.inTime(theirs.client.create('/c', '0'))
    await harness.inTime(ours.client.ready())
    harness.ensemble.script({
      when: { op: 'set-data', path: '/c', times: 1 },
      do: 'cut',
      how: 'reset',
      at: 'unanswered',
    })
    harness.ensemble.script({ when: { op: 'connect', times: 1 }, do: 'delay', delayMs: 500 })
    const adding = ours.client.counter('/c').add(1)
    await harness.clock.advance(10)
    for (let i = 0; i < 2; i++) await harness.inTime(theirs.client.counter('/c').add(10))

    await expect(harness.inTime(adding)).rejects.toMatchObject({
      code: 'outcome-unknown',
      outcome: 'unknown',
      path: '/c',
    })
    expect(await harness.inTime(theirs.client.counter('/c').get())).toBe(21)
  })

  it('says unknown when the time is up before a lost answer was looked up', async () => {
    await harness.inTime(theirs.client.create('/c', '0'))
    await harness.inTime(ours.client.ready())
    harness.ensemble.script({
      when: { op: 'set-data', path: '/c', times: 1 },
      do: 'ignore',
      at: 'unanswered',
    })

    const adding = ours.client.counter('/c').add(1, { timeoutMs: 200 })
    await harness.clock.advance(50)
    ours.host.cut()

    await expect(harness.inTime(adding)).rejects.toMatchObject({ code: 'timed-out', outcome: 'unknown' })
  })

  it('says not done when nothing was sent', async () => {
    await harness.inTime(ours.client.counter('/c').add(1))
    ours.host.cut()
    await harness.clock.advance(3_000)

    await expect(harness.inTime(ours.client.counter('/c').add(1, { timeoutMs: 200 }))).rejects.toMatchObject({
      outcome: 'not-done',
    })
  })

  it('refuses what is no number, in the node or to be added', async () => {
    await harness.inTime(ours.client.create('/c', 'many'))

    await expect(harness.inTime(ours.client.counter('/c').add(1))).rejects.toThrow(
      /does not contain a whole number/,
    )
    await expect(ours.client.counter('/d').add(0.5)).rejects.toThrow(/whole number to add/)
    await harness.inTime(ours.client.create('/e', String(Number.MAX_SAFE_INTEGER)))
    await expect(harness.inTime(ours.client.counter('/e').add(1))).rejects.toThrow(/is not a safe integer/)
  })
})
