import { pause, until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { describeEnd } from './describe-end.ts'
import { galeraHarness } from './harness.ts'

describe('the pool of a client', () => {
  it('opens no more connections to a host than it may, and one for the monitor', async () => {
    const { db, cluster } = await galeraHarness({ pool: { maximumSize: 3 } })
    await Promise.all(Array.from({ length: 60 }, () => db.query('SELECT SLEEP(0.01)')))
    expect(cluster.node(1).connections).toBeLessThanOrEqual(4)
  })

  it('makes no more connections at a time than it may when 500 wait and all nodes come back', async () => {
    const { db, cluster } = await galeraHarness({ pool: { maximumSize: 20, parallelConnects: 2 } })
    await db.ready()
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    const waiting = Promise.all(Array.from({ length: 500 }, () => db.query('SELECT 1')))
    // Slow handshakes, so that concurrent ones are visible.
    cluster.script({ when: { command: 'log-in', node: 1 }, do: 'delay', delayMs: 30 })
    let most = 0
    const underWay = (): number =>
      cluster.node(1).connections - cluster.log.count({ sql: /^SET SESSION autocommit/, node: 1 })
    const count = setInterval(() => {
      most = Math.max(most, underWay())
    }, 1)
    cluster.log.clear()
    await Promise.all(cluster.nodes.map((node) => node.start()))
    await waiting
    clearInterval(count)
    // Two of the pool, one of the monitor, and an abandoned one whose end the server has not noticed yet.
    expect(most).toBeLessThanOrEqual(4)
  })

  it('says who holds the connections when nobody gives one back in time', async () => {
    const { db, events } = await galeraHarness({ pool: { maximumSize: 1, acquireTimeoutMs: 300 } })
    const error = await db.session(async () => {
      await pause(50)
      return db.query('SELECT 1').catch((thrown: unknown) => thrown)
    })
    expect(error).toMatchObject({ code: 'exhausted', outcome: 'not-done', sqlState: '08001' })
    expect(events.map(({ name }) => name)).toContain('exhausted')
  })

  it('that is exhausted is no failure of its host', async () => {
    const { db, cluster } = await galeraHarness({ pool: { maximumSize: 1, acquireTimeoutMs: 300 } })
    await db.ready()
    const held = db.query('SELECT SLEEP(0.8)')
    expect(await describeEnd(db.query('SELECT 1'))).toBe('exhausted not-done 08001')
    expect(db.health()).toMatchObject({ writer: cluster.node(1).address })
    expect(db.health().hosts[0]?.health).toBe('up')
    await held
  })

  it('reports a connection that is held for too long, once, and counts it', async () => {
    const { db, cluster, events } = await galeraHarness({
      pool: { leakDetectionMs: 100 },
      monitor: { slowQueryMs: 50 },
    })
    await db.session(async () => {
      await until('it is told', () => events.some(({ name }) => name === 'leak'))
      await pause(150)
    })
    expect(events.filter(({ name }) => name === 'leak')).toMatchObject([
      { event: { endpoint: cluster.node(1).address, heldMs: expect.any(Number) } },
    ])
  })
})

describe('nothing hangs', () => {
  const stages = ['connect', 'log-in'] as const

  it.each(stages)('when every server falls silent at %s', async (command) => {
    const { db, cluster } = await galeraHarness({ pool: { connectTimeoutMs: 100 } })
    cluster.script({ when: { command }, do: 'silence' })
    const startedAtMs = performance.now()
    expect(await describeEnd(db.query("INSERT INTO t VALUES ('a', 1)", undefined, { timeoutMs: 300 }))).toBe(
      'timed-out not-done 70100',
    )
    expect(performance.now() - startedAtMs).toBeLessThan(600)
  })

  const statements: readonly (readonly [string, RegExp, string])[] = [
    ['while a session is set up', /^SET SESSION autocommit/, 'timed-out not-done 70100'],
    ['at a write', /^INSERT/, 'timed-out unknown 08007'],
  ]

  it.each(statements)('when every server falls silent %s', async (_, sql, expected) => {
    const { db, cluster } = await galeraHarness({ pool: { connectTimeoutMs: 100 } })
    cluster.script({ when: { sql }, do: 'silence' })
    expect(await describeEnd(db.query("INSERT INTO t VALUES ('a', 1)", undefined, { timeoutMs: 300 }))).toBe(
      expected,
    )
  })

  it('when a read is silent and its server is well: the deadline ends it, and nothing was done', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: /^SELECT 7/ }, do: 'silence' })
    expect(await describeEnd(db.query('SELECT 7', undefined, { timeoutMs: 300 }))).toBe(
      'timed-out not-done 70100',
    )
  })

  it('when the caller gives up: a statement under way is unknown, one that waits is not done', async () => {
    const { db, cluster } = await galeraHarness({ pool: { maximumSize: 1 } })
    const caller = new AbortController()
    cluster.script({ when: { sql: /^INSERT/ }, do: 'silence' })
    const calls = ['a', 'b'].map((k) =>
      describeEnd(db.query(`INSERT INTO t VALUES ('${k}', 1)`, undefined, { signal: caller.signal })),
    )
    await cluster.log.until({ sql: /^INSERT/ })
    caller.abort()
    expect((await Promise.all(calls)).sort()).toEqual(['aborted not-done 70100', 'aborted unknown 08007'])
  })

  it('when the client is closed: who waits is told at once, and who is at work within its time', async () => {
    const { db, cluster } = await galeraHarness({ pool: { maximumSize: 1 } })
    cluster.script({ when: { sql: /^INSERT/ }, do: 'silence' })
    const calls = ['a', 'b'].map((k) => describeEnd(db.query(`INSERT INTO t VALUES ('${k}', 1)`)))
    await cluster.log.until({ sql: /^INSERT/ })
    expect(await db.close({ timeoutMs: 200 })).toEqual({ returned: 0, left: 1 })
    expect((await Promise.all(calls)).sort()).toEqual([
      'closed not-done 08003',
      'outcome-unknown unknown 08007',
    ])
    expect(await describeEnd(db.query('SELECT 1'))).toBe('closed not-done 08003')
  })

  it('when the client is closed while every server is frozen', async () => {
    const { db, cluster } = await galeraHarness()
    await db.ready()
    for (const node of cluster.nodes) node.pause()
    const call = describeEnd(db.query("INSERT INTO t VALUES ('a', 1)"))
    await db.close({ timeoutMs: 200 })
    expect(await call).toContain('unknown')
  })

  it('when a client that was never used is closed', async () => {
    const { db, cluster } = await galeraHarness()
    expect(await db.close()).toEqual({ returned: 0, left: 0 })
    expect(cluster.accepted).toBe(0)
  })
})
