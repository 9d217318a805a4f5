import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { bare, called, fixedMessage, isPendingAfter, pass, sessionMs } from './bare-driver.ts'
import { defects, titleOf } from './defects.ts'

describe('the bare driver', () => {
  it(titleOf(defects.unsentAtExpiry), async () => {
    await using stand = await bare()
    await defects.unsentAtExpiry.arrange(stand.ensemble)
    const read = called((callback) => stand.client.getData('/', undefined, callback))
    stand.client.connect()
    expect(await isPendingAfter(sessionMs, read), fixedMessage).toBe(true)
    expect(stand.states, fixedMessage).toContain('EXPIRED')
  })

  it(titleOf(defects.lossBeforeState), async () => {
    await using stand = await bare()
    await stand.connected()
    await defects.lossBeforeState.arrange(stand.ensemble)
    const states = new Set<string>()
    const turns = new Set<number>()
    let turn = 0
    const timer = setInterval(() => {
      turn += 1
    }, 0)
    let asked = 0
    await new Promise<void>((resolve) => {
      const ask = (): void => {
        stand.client.getData('/', undefined, () => {
          states.add(stand.client.getState().name)
          turns.add(turn)
          asked += 1
          if (asked < 1_000) ask()
          else resolve()
        })
      }
      ask()
    })
    clearInterval(timer)
    expect([[...states], turns.size], fixedMessage).toEqual([['SYNC_CONNECTED'], 1])
  })

  it(`${titleOf(defects.close)}: it throws`, async () => {
    await using stand = await bare()
    expect(() => stand.client.close(), fixedMessage).toThrow(TypeError)
  })

  it(`${titleOf(defects.close)}: while it waits for the next attempt, it connects once more`, async () => {
    // The first attempt after a loss is immediate, the second comes after a share of the delay that is drawn.
    const drawn = vi.spyOn(Math, 'random').mockReturnValue(0.9)
    onTestFinished(() => drawn.mockRestore())
    await using stand = await bare({ spinDelayMs: 500 })
    await stand.connected()
    stand.ensemble.script({ when: { op: 'connect', times: 1 }, do: 'cut', how: 'end' })
    for (const line of stand.ensemble.node(1).connections) line.drop()
    await stand.ensemble.log.until({ op: 'connect' }, { count: 2 })
    await pass(20)
    stand.client.close()
    const seen = (): readonly number[] => [stand.ensemble.accepted, stand.escaped.length]
    await expect.poll(seen, { timeout: 10_000, message: fixedMessage }).toEqual([3, 1])
  })

  it(titleOf(defects.oneStateForAll), async () => {
    await using stand = await bare()
    await defects.oneStateForAll.arrange(stand.ensemble)
    stand.client.connect()
    await pass(sessionMs)
    expect([stand.states, stand.client.getState().name], fixedMessage).toEqual([
      ['EXPIRED', 'DISCONNECTED'],
      'DISCONNECTED',
    ])
  })
})
