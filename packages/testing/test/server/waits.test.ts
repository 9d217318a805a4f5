import { FakeClock } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { type PlannedWaits, startWaits, type WaitAct, withWait } from '../../src/server/rules.ts'
import { Script } from '../../src/server/script.ts'

const none: PlannedWaits = { before: [], beforeAnswer: [] }
const delay: WaitAct = { do: 'delay', delayMs: 10 }

describe('a plan', () => {
  it('waits before the request unless a rule says: before the answer', () => {
    const late: WaitAct = { do: 'hold', until: 'told', at: 'answer' }

    expect(withWait(withWait(none, delay), late)).toEqual({ before: [delay], beforeAnswer: [late] })
  })
})

describe('waiting', () => {
  const clock = new FakeClock()
  const script = new Script<never, never, never, undefined>({
    check: () => undefined,
    defaultPlan: undefined,
    isMatch: () => false,
    add: () => undefined,
  })
  const ends = {
    clock,
    released: (name: string) => script.released(name),
    awake: () => Promise.resolve(),
  }

  it('takes one wait after the other', async () => {
    let isOver = false
    void startWaits(ends, [delay, delay])().then(() => {
      isOver = true
    })
    await clock.advance(19)
    expect(isOver).toBe(false)

    await clock.advance(1)

    expect(isOver).toBe(true)
  })

  it('is released even before its turn to wait has come', async () => {
    let isOver = false
    const wait = startWaits(ends, [delay, { do: 'hold', until: 'told' }])
    script.release('told')
    void wait().then(() => {
      isOver = true
    })
    await clock.advance(10)

    expect(isOver).toBe(true)
  })
})
