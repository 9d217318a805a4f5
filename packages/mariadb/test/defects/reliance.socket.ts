import { startFakeServer } from '@ha/testing/mariadb'
import { describe, expect, it } from 'vitest'
import { bare, lost } from './witness.ts'

// Properties of the driver that this package relies on.

describe('in the mariadb driver we rely on', () => {
  it('a query in flight being rejected at once when the server ends the connection (15)', async () => {
    await using cluster = await startFakeServer()
    const { connection } = await bare(cluster)
    cluster.script({ when: { sql: 'SELECT 1' }, do: 'cut', how: 'end', at: 'unanswered' })
    await expect(connection.query('SELECT 1'), lost).rejects.toMatchObject({ errno: 45009 })
  })

  it('nothing being sent on a connection that is known to be closed (16)', async () => {
    await using cluster = await startFakeServer()
    const { connection } = await bare(cluster)
    cluster.script({ when: { sql: 'SELECT 1' }, do: 'cut', how: 'end' })
    await connection.query('SELECT 1').catch(() => undefined)
    await expect(connection.query('SELECT 2'), lost).rejects.toMatchObject({ errno: 45013 })
    expect(cluster.log.count({ sql: 'SELECT 2' }), lost).toBe(0)
  })

  it('everything in flight being rejected with our error when we end the socket with it (17)', async () => {
    await using cluster = await startFakeServer()
    const { connection, socket, events } = await bare(cluster)
    cluster.node(1).pause()
    const queries = ['SELECT 1', 'SELECT 2'].map((sql) =>
      connection.query(sql).catch((error: Error) => error.message),
    )
    socket.destroy(new Error('ours'))
    expect(await Promise.all(queries), lost).toEqual(['ours', 'ours'])
    expect(events, lost).toEqual(['error ours', 'end'])
  })

  it('commands being answered in the order in which they were written, all in flight at once', async () => {
    await using cluster = await startFakeServer()
    const { connection } = await bare(cluster)
    cluster.script({ when: { sql: 'SELECT 1 AS n' }, do: 'hold', until: 'go', at: 'answer' })
    const answers = Promise.all([1, 2, 3].map((n) => connection.query(`SELECT ${n} AS n`)))
    await cluster.log.until({ sql: 'SELECT 1 AS n' })
    cluster.release('go')
    expect((await answers).flat(), lost).toMatchObject([{ n: 1 }, { n: 2 }, { n: 3 }])
  })
})
