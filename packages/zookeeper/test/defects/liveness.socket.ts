import { describe, expect, it } from 'vitest'
import { defects, titleOf } from './defects.ts'
import { bare, called, gone, hasty, isPendingAfter, pass, sessionMs } from './witness.ts'

describe('the bare driver', () => {
  it(titleOf(defects.silentServer), async () => {
    await using stand = await bare(hasty)
    await stand.connected()
    await defects.silentServer.arrange(stand.ensemble)
    const read = called((callback) => stand.client.getData('/', undefined, callback))
    expect(await isPendingAfter(5 * sessionMs, read), gone).toBe(true)
    expect(stand.client.getState().name, gone).toBe('SYNC_CONNECTED')
  })

  it(titleOf(defects.silentHandshake), async () => {
    await using stand = await bare()
    await defects.silentHandshake.arrange(stand.ensemble)
    stand.client.connect()
    await pass(5 * sessionMs)
    expect([stand.ensemble.accepted, stand.states], gone).toEqual([1, []])
  })

  it(titleOf(defects.busyNews), async () => {
    await using stand = await bare(hasty)
    await stand.connected()
    await defects.busyNews.arrange(stand.ensemble)
    await pass(3 * sessionMs)
    const [first] = stand.ensemble.log.entries({ op: 'ping', connection: 1 })
    expect([first, stand.ensemble.sessions().length], gone).toEqual([undefined, 0])
  })

  it(titleOf(defects.noDeadline), async () => {
    await using stand = await bare()
    await stand.connected()
    await defects.noDeadline.arrange(stand.ensemble)
    await pass(50)
    const reads = Array.from({ length: 10_000 }, () =>
      called((callback) => stand.client.getData('/', undefined, callback)),
    )
    expect(await isPendingAfter(3 * sessionMs, Promise.race(reads)), gone).toBe(true)
    expect(stand.client.connectionManager.packetQueue.queue.length, gone).toBe(10_000)
  })

  it(titleOf(defects.steadyPace), async () => {
    await using stand = await bare()
    await defects.steadyPace.arrange(stand.ensemble)
    stand.client.connect()
    const attempts = await stand.ensemble.log.until({ op: 'connect' }, { count: 100, timeoutMs: 10_000 })
    const [half, last] = [attempts[49]?.atMs ?? 0, attempts[99]?.atMs ?? 0]
    // Whoever grew from one attempt to the next would need longer for the second fifty than all of them may take here.
    expect(last - half, gone).toBeLessThan(5_000)
  })
})
