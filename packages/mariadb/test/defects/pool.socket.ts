import { startFakeServer } from '@ha/testing/mariadb'
import { describe, expect, it } from 'vitest'
import { gone, pass, poolOn, settledAfterMs } from './witness.ts'

// While these pass, connections are pooled by this package, not by the driver.

describe('in the pool of the mariadb driver', () => {
  it('idle connections to a server that stands still are pinged one after the other, outside the deadline (3)', async () => {
    await using cluster = await startFakeServer()
    const pool = poolOn(cluster, {
      connectionLimit: 4,
      pingTimeout: 50,
      acquireTimeout: 200,
      minDelayValidation: 0,
    })
    const idle = await Promise.all([1, 2, 3, 4].map(() => pool.getConnection()))
    for (const each of idle) await each.release()
    cluster.node(1).pause()
    expect(await settledAfterMs(pool.getConnection()), gone).toBeGreaterThan(390)
    await pool.end()
  })

  it('a connection to a node without quorum is given back as healthy, and handed out again (8)', async () => {
    await using cluster = await startFakeServer()
    const pool = poolOn(cluster, { connectionLimit: 1 })
    cluster.script({ when: { sql: 'SELECT 1' }, do: 'refuse', errno: 1047, sqlState: '08S01' })
    const first = await pool.getConnection()
    await first.query('SELECT 1').catch(() => undefined)
    await first.release()
    const second = await pool.getConnection()
    expect(second.threadId, gone).toBe(first.threadId)
    await second.release()
    await pool.end()
  })

  it('two connections with one thread id, from before and after a restart, are counted as one (11)', async () => {
    await using cluster = await startFakeServer()
    const pool = poolOn(cluster, { connectionLimit: 2 })
    const before = await pool.getConnection()
    before.on('error', () => undefined)
    await cluster.node(1).kill()
    await cluster.node(1).start()
    const after = await pool.getConnection()
    expect([after.threadId, pool.activeConnections()], gone).toEqual([before.threadId, 1])
    await before.release()
    await after.release()
    expect([pool.totalConnections(), cluster.connections], gone).toEqual([0, 1])
    await pool.end()
  })

  it('connections are opened one after the other (12)', async () => {
    await using cluster = await startFakeServer()
    const pool = poolOn(cluster, { connectionLimit: 10 })
    cluster.script({ when: { command: 'connect' }, do: 'delay', delayMs: 30 })
    const borrowed = await Promise.all(Array.from({ length: 5 }, () => pool.getConnection()))
    const times = cluster.log.entries({ command: 'connect' }).map((entry) => entry.atMs)
    const gaps = times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0))
    expect(Math.min(...gaps), gone).toBeGreaterThan(25)
    for (const each of borrowed) await each.release()
    await pool.end()
  })

  it('who waits is handed a connection without a look at it (13)', async () => {
    await using cluster = await startFakeServer()
    const pool = poolOn(cluster, { connectionLimit: 1, minDelayValidation: 0 })
    const first = await pool.getConnection()
    const waiting = pool.getConnection()
    await pass(20)
    await first.release()
    const second = await waiting
    const pingsForWaiting = cluster.log.count({ command: 'ping' })
    await second.release()
    await (await pool.getConnection()).release()
    expect([pingsForWaiting, cluster.log.count({ command: 'ping' })], gone).toEqual([0, 1])
    await pool.end()
  })
})
