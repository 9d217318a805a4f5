import { describe, expect, it } from 'vitest'
import { type Bare, bare, called, fixedMessage, isPendingAfter, pass, sessionMs } from './bare-driver.ts'
import { defects, longData, oddEvents, titleOf, youngCodes } from './defects.ts'

// Errors that it throws while reading are thrown soon, on an idle machine.
const patience = { timeout: 10_000, message: fixedMessage }
const messages = ({ escaped }: Bare): readonly string[] => escaped.map(({ message }) => message)

describe('the bare driver', () => {
  it(titleOf(defects.cutInFrame), async () => {
    await using stand = await bare()
    await stand.connected()
    await called((callback) => stand.client.create('/a', longData, 0, callback))
    await defects.cutInFrame.arrange(stand.ensemble)
    await called((callback) => stand.client.getData('/a', undefined, callback))
    await pass(3 * sessionMs)
    // It received the connect response, and does not know it.
    expect(stand.ensemble.log.count({ op: 'connect', outcome: 'done' }), fixedMessage).toBe(2)
    expect(stand.client.getState().name, fixedMessage).toBe('DISCONNECTED')
  })

  it.each(youngCodes)(`${titleOf(defects.youngCode)}: %d`, async (code) => {
    await using stand = await bare()
    await stand.connected()
    await defects.youngCode.arrange(stand.ensemble)
    const read = called((callback) => stand.client.getData(`/${code}`, undefined, callback))
    await expect.poll(() => messages(stand), patience).toEqual([`Unknown code: ${code}`])
    expect(await isPendingAfter(100, read), fixedMessage).toBe(true)
  })

  it.each(oddEvents)(`${titleOf(defects.oddEvent)}: %d`, async (type) => {
    await using stand = await bare()
    await stand.connected()
    await defects.oddEvent.arrange(stand.ensemble)
    void called((callback) => stand.client.getData(`/${type}`, undefined, callback))
    await expect.poll(() => messages(stand), patience).toEqual([`Unknown event type: ${type}`])
  })

  it(titleOf(defects.throwingWatcher), async () => {
    await using stand = await bare()
    await stand.connected()
    await called((callback) => stand.client.create('/a', longData, 0, callback))
    const throwing = (): void => {
      throw new Error('a listener of ours')
    }
    await called((callback) => stand.client.getData('/a', throwing, callback))
    await defects.throwingWatcher.arrange(stand.ensemble)
    const read = called((callback) => stand.client.getData('/b', undefined, callback))
    // Less than the third of a session after which a ping would bring new bytes.
    expect(await isPendingAfter(sessionMs, read), fixedMessage).toBe(true)
    expect(
      stand.escaped.map(({ message }) => message),
      fixedMessage,
    ).toEqual(['a listener of ours'])
  })

  it(titleOf(defects.anyZxid), async () => {
    await using stand = await bare()
    await stand.connected()
    await defects.anyZxid.arrange(stand.ensemble)
    await called((callback) => stand.client.getData('/b', undefined, callback))
    for (const line of stand.ensemble.node(1).connections) line.drop()
    const [, again] = await stand.ensemble.log.until({ op: 'connect' }, { count: 2 })
    expect(again?.request, fixedMessage).toMatchObject({ lastZxidSeen: -1n })
  })
})
