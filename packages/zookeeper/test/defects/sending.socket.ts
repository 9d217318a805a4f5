import { describe, expect, it } from 'vitest'
import { bare, called, driver, fixedMessage, pass } from './bare-driver.ts'
import { defects, titleOf } from './defects.ts'

describe('the bare driver', () => {
  it(titleOf(defects.acceptThenClose), async () => {
    await using stand = await bare()
    stand.client.addAuthInfo('digest', Buffer.from('joe:secret'))
    await stand.connected()
    await called((callback) => stand.client.exists('/a', () => undefined, callback))
    await defects.acceptThenClose.arrange(stand.ensemble)
    await stand.ensemble.log.until({ op: 'set-watches', connection: 7 }, { count: 6 })
    const deeds = stand.ensemble.log.operations({ connection: 7 })
    const counts = ['auth', 'set-watches'].map((op) => deeds.filter((deed) => deed === op).length)
    expect(counts, fixedMessage).toEqual([6, 6])
  })

  it(titleOf(defects.loginLate), async () => {
    await using stand = await bare()
    stand.client.addAuthInfo('digest', Buffer.from('joe:secret'))
    const write = called((callback) => stand.client.setData('/', Buffer.alloc(0), callback))
    await stand.connected()
    await write
    await stand.ensemble.log.until({ op: 'auth' })
    expect(stand.ensemble.log.operations(), fixedMessage).toEqual(['accept', 'connect', 'set-data', 'auth'])
  })

  it(titleOf(defects.manyWatches), async () => {
    await using stand = await bare()
    await stand.connected()
    const names = Array.from({ length: 2_000 }, (_, i) => `/${String(i).padStart(80, '0')}`)
    await Promise.all(
      names.map((path) => called((callback) => stand.client.exists(path, () => undefined, callback))),
    )
    for (const line of stand.ensemble.node(1).connections) line.drop()
    const [entry] = await stand.ensemble.log.until({ op: 'set-watches' })
    expect(entry?.bytes, fixedMessage).toBeGreaterThan(128 * 1024)
  })

  it(titleOf(defects.versionZero), async () => {
    await using stand = await bare()
    await stand.connected()
    const transaction = stand.client.transaction()
    const data = Buffer.alloc(0)
    await called((callback) =>
      transaction.check('/', 0).setData('/a', data, 0).remove('/a', 0).commit(callback),
    )
    const [entry] = stand.ensemble.log.entries({ op: 'multi' })
    expect(entry?.request, fixedMessage).toMatchObject({
      parts: [{ version: -1 }, { version: -1 }, { version: -1 }],
    })
  })

  it(titleOf(defects.noData), async () => {
    await using stand = await bare()
    await stand.connected()
    expect(() => stand.client.setData('/', null, () => undefined), fixedMessage).toThrow(TypeError)
  })

  it(titleOf(defects.numbers), async () => {
    await using stand = await bare()
    await stand.connected()
    await called((callback) => stand.client.exists('/', undefined, callback))
    expect(stand.ensemble.log.entries({ op: 'exists' })[0]?.xid, fixedMessage).toBe(0)
    stand.client.connectionManager.xid = 2 ** 31
    expect(() => stand.client.exists('/', undefined, () => undefined), fixedMessage).toThrow(RangeError)
  })

  it(titleOf(defects.unprotectedCreate), async () => {
    await using stand = await bare({ retries: 1 })
    await stand.connected()
    await defects.unprotectedCreate.arrange(stand.ensemble)
    const mode = driver.CreateMode['EPHEMERAL_SEQUENTIAL'] ?? 0
    const path = await called((callback) => stand.client.create('/n-', Buffer.alloc(0), mode, callback))
    const made = [...stand.ensemble.tree().keys()].filter((each) => each.startsWith('/n-'))
    expect([path, made], fixedMessage).toEqual(['/n-0000000001', ['/n-0000000000', '/n-0000000001']])
  })

  it(titleOf(defects.manyListeners), async () => {
    await using stand = await bare()
    await stand.connected()
    let told = 0
    for (let i = 0; i < 50; i += 1) {
      const listener = (): void => {
        told += 1
      }
      await called((callback) => stand.client.getData('/', listener, callback))
    }
    await called((callback) => stand.client.setData('/', Buffer.alloc(0), callback))
    expect([told, stand.ensemble.node(1).watchCount('data')], fixedMessage).toEqual([50, 0])
  })

  it(titleOf(defects.ephemeralParents), async () => {
    await using stand = await bare()
    await stand.connected()
    const mode = driver.CreateMode['EPHEMERAL'] ?? 0
    const outcome = await called((callback) => stand.client.mkdirp('/a/b', mode, callback))
    expect([outcome, [...stand.ensemble.owners().values()]], fixedMessage).toMatchObject([
      { code: -108 },
      [['/a']],
    ])
  })

  it(titleOf(defects.oldProtocol), async () => {
    await using stand = await bare()
    const missing = ['sync', 'addWatch', 'removeWatches', 'create2'].filter((name) => !(name in stand.client))
    expect(missing, fixedMessage).toEqual(['sync', 'addWatch', 'removeWatches', 'create2'])
    expect(Object.keys(driver.CreateMode).length, fixedMessage).toBe(4)
    await stand.connected()
    await pass(0)
    // A client that supports read-only servers could be connected to one, and a client with a dial function could use
    // TLS.
    const [entry] = stand.ensemble.log.entries({ op: 'connect' })
    expect(entry?.request, fixedMessage).toMatchObject({ acceptsReadOnly: undefined })
    expect(String((stand.client.connectionManager as { connect?: unknown }).connect), fixedMessage).toContain(
      'net.connect(',
    )
  })
})
