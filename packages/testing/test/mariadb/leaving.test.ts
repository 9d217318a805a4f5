import { FakeClock } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import { startFakeGalera, startFakeServer } from '../../src/mariadb/index.ts'
import { arrive, client, keyTable } from './client.ts'

describe('a fake cluster that is closed', () => {
  it('leaves no timer and no connection behind, whatever was under way', async () => {
    const clock = new FakeClock()
    const cluster = await startFakeGalera({ clock, listens: false, viewChangeMs: 5_000 })
    await keyTable(cluster, { a: 1 })
    const [one, two, three] = await Promise.all(cluster.nodes.map((node) => client(node)))
    cluster.script({ when: { sql: 'SELECT 1' }, do: 'hold', until: 'never' })
    const under = [
      one?.run('SELECT SLEEP(100)'),
      two?.run("SELECT WSREP_SYNC_WAIT_UPTO_GTID('0-1-99', 50)"),
      three?.run('SELECT 1'),
    ]
    await arrive()
    cluster.node(3).pause()
    await clock.advance(5_000)
    cluster.node(3).resume()
    cluster.node(2).pause()
    await cluster.close()
    expect(await Promise.all(under)).toEqual(['ECONNRESET', 'ECONNRESET', 'ECONNRESET'])
    expect([clock.pending, cluster.connections]).toEqual([0, 0])
  })
})

describe('the log of a fake server', () => {
  it('says who did what, and what became of it', async () => {
    const cluster = await startFakeServer({ clock: new FakeClock(), listens: false })
    const one = await client(cluster.node(1))
    cluster.script({ when: { sql: 'SELECT 2' }, do: 'answer', with: { rows: [], columns: ['n'] } })
    cluster.script({ when: { sql: 'SELECT 3' }, do: 'cut', how: 'reset' })
    for (const n of [1, 2, 3]) await one.run(`SELECT ${n}`)
    const seen = cluster.log
      .entries({ command: 'query', sql: /^SELECT/ })
      .map(({ sql, outcome }) => `${sql} ${outcome}`)
    expect(seen).toEqual(['SELECT 1 done', 'SELECT 2 scripted', 'SELECT 3 lost'])
    await cluster.close()
  })

  it('gives up waiting with a word on what is missing', async () => {
    const clock = new FakeClock()
    const cluster = await startFakeServer({ clock, listens: false })
    const seen = cluster.log.until({ sql: /INSERT/ }, { count: 2, timeoutMs: 100 })
    const refused = expect(seen).rejects.toThrow('0 of 2 commands {"sql":"/INSERT/"} within 100 ms')
    await clock.advance(100)
    await refused
    await cluster.close()
  })
})
