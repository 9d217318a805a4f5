import { describe, expect, it } from 'vitest'
import { bare, called, fixedMessage, hasty, isPendingAfter, pass, sessionMs } from './bare-driver.ts'
import { defects, titleOf } from './defects.ts'

describe('the bare driver', () => {
  it(titleOf(defects.silentServer), async () => {
    await using stand = await bare(hasty)
    await stand.connected()
    await defects.silentServer.arrange(stand.ensemble)
    const read = called((callback) => stand.client.getData('/', undefined, callback))
    expect(await isPendingAfter(5 * sessionMs, read), fixedMessage).toBe(true)
    expect(stand.client.getState().name, fixedMessage).toBe('SYNC_CONNECTED')
  })

  it(titleOf(defects.silentHandshake), async () => {
    await using stand = await bare()
    await defects.silentHandshake.arrange(stand.ensemble)
    stand.client.connect()
    await pass(5 * sessionMs)
    expect([stand.ensemble.accepted, stand.states], fixedMessage).toEqual([1, []])
  })

  it(titleOf(defects.busyNews), async () => {
    await using stand = await bare(hasty)
    await stand.connected()
    await defects.busyNews.arrange(stand.ensemble)
    await pass(3 * sessionMs)
    const [first] = stand.ensemble.log.entries({ op: 'ping', connection: 1 })
    expect([first, stand.ensemble.sessions().length], fixedMessage).toEqual([undefined, 0])
  })

  it(titleOf(defects.noDeadline), async () => {
    await using stand = await bare()
    await stand.connected()
    await defects.noDeadline.arrange(stand.ensemble)
    await pass(50)
    const reads = Array.from({ length: 10_000 }, () =>
      called((callback) => stand.client.getData('/', undefined, callback)),
    )
    expect(await isPendingAfter(3 * sessionMs, Promise.race(reads)), fixedMessage).toBe(true)
    expect(stand.client.connectionManager.packetQueue.queue.length, fixedMessage).toBe(10_000)
  })

  it(titleOf(defects.steadyPace), async () => {
    await using stand = await bare()
    await defects.steadyPace.arrange(stand.ensemble)
    stand.client.connect()
    const attempts = await stand.ensemble.log.until({ op: 'connect' }, { count: 100, timeoutMs: 10_000 })
    const [half, last] = [attempts[49]?.atMs ?? 0, attempts[99]?.atMs ?? 0]
    // If the time between attempts grew, the second fifty would take longer than all of them may take here.
    expect(last - half, fixedMessage).toBeLessThan(5_000)
  })
})
