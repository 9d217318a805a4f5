import { startFakeServer } from '@ha/testing/mariadb'
import { describe, expect, it } from 'vitest'
import { bare, gone, isPendingAfter, ordinary } from './witness.ts'

// While these pass, no promise of the driver is awaited without a deadline of this package that ends the socket.

describe('in the mariadb driver, a query in flight', () => {
  it('waits for ever for a server that stands still (4)', async () => {
    await using cluster = await startFakeServer()
    const { connection, socket } = await bare(cluster)
    cluster.node(1).pause()
    const query = connection.query('SELECT 1')
    expect(await isPendingAfter(300, query), gone).toBe(true)
    socket.destroy(new Error('over'))
    await query.catch(() => undefined)
  })

  it('never settles when its connection is destroyed beside a server that stands still (5)', async () => {
    await using cluster = await startFakeServer()
    const connection = await ordinary(cluster, { connectTimeout: 500 })
    cluster.node(1).pause()
    const query = connection.query('SELECT 1')
    connection.destroy()
    expect(await isPendingAfter(1_000, query), gone).toBe(true)
  })

  it('is killed by a second connection to the same server, that nobody asked for (5)', async () => {
    await using cluster = await startFakeServer()
    const connection = await ordinary(cluster)
    const query = connection.query('SELECT SLEEP(5)')
    await cluster.log.until({ sql: /SLEEP/ })
    connection.destroy()
    await query.catch(() => undefined)
    expect(cluster.log.count({ sql: /^KILL/ }), gone).toBe(1)
  })

  it('never settles when a ping beside it runs out of time (6)', async () => {
    await using cluster = await startFakeServer()
    const { connection } = await bare(cluster)
    cluster.node(1).pause()
    const query = connection.query('SELECT 1')
    await expect(
      (connection.ping as (options: object) => Promise<void>)({ timeout: 50 }),
    ).rejects.toMatchObject({ errno: 45042 })
    expect(await isPendingAfter(200, query), gone).toBe(true)
  })

  it('never settles when its socket is closed and says nothing but that (7)', async () => {
    await using cluster = await startFakeServer()
    const { connection, socket } = await bare(cluster)
    const query = connection.query('SELECT SLEEP(5)')
    await cluster.log.until({ sql: /SLEEP/ })
    socket.destroy()
    expect(await isPendingAfter(200, query), gone).toBe(true)
    expect(connection.isValid(), gone).toBe(true)
  })
})

describe('in the mariadb driver, an error', () => {
  it('of a statement that took too long is called fatal, and the connection goes on (9)', async () => {
    await using cluster = await startFakeServer()
    const { connection } = await bare(cluster)
    await connection.query('SET max_statement_time = 0.01')
    await expect(connection.query('SELECT SLEEP(1)'), gone).rejects.toMatchObject({
      errno: 1969,
      fatal: true,
    })
    expect(await connection.query('SELECT 1 AS n')).toMatchObject([{ n: 1 }])
  })

  it('of a node without quorum is called fatal, and the connection stays valid (8)', async () => {
    await using cluster = await startFakeServer()
    const { connection } = await bare(cluster)
    cluster.script({ when: { sql: 'SELECT 1' }, do: 'refuse', errno: 1047, sqlState: '08S01' })
    await expect(connection.query('SELECT 1'), gone).rejects.toMatchObject({ errno: 1047, fatal: true })
    expect(connection.isValid(), gone).toBe(true)
  })
})
