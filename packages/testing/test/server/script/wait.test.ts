import { FakeClock } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { Script } from '../../../src/server/script/script.ts'
import { type WaitAct, type Waits, waitingFor, withWait } from '../../../src/server/script/wait.ts'

const none: Waits = { before: [], late: [] }
const delay: WaitAct = { do: 'delay', delayMs: 10 }

describe('a plan', () => {
  it('waits before the request unless a rule says: before the answer', () => {
    const late: WaitAct = { do: 'hold', until: 'told', at: 'answer' }

    expect(withWait(withWait(none, delay), late)).toEqual({ before: [delay], late: [late] })
  })
})

describe('waiting', () => {
  const clock = new FakeClock()
  const script = new Script<never, never, never, undefined>({
    check: () => undefined,
    plain: undefined,
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
    void waitingFor(ends, [delay, delay])().then(() => {
      isOver = true
    })
    await clock.advance(19)
    expect(isOver).toBe(false)

    await clock.advance(1)

    expect(isOver).toBe(true)
  })

  it('is released even before its turn to wait has come', async () => {
    let isOver = false
    const wait = waitingFor(ends, [delay, { do: 'hold', until: 'told' }])
    script.release('told')
    void wait().then(() => {
      isOver = true
    })
    await clock.advance(10)

    expect(isOver).toBe(true)
  })
})
