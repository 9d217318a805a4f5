import { FakeClock } from '@ha/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FakeCluster, startFakeServer } from '../../src/mariadb/index.ts'
import { arrive, type Client, client, keys, keyTable } from './client.ts'

let clock: FakeClock
let cluster: FakeCluster
let one: Client
let two: Client

beforeEach(async () => {
  clock = new FakeClock()
  cluster = await startFakeServer({ clock, listens: false })
  await keyTable(cluster, { a: 1, b: 2 })
  one = await client(cluster.node(1))
  two = await client(cluster.node(1))
})
afterEach(() => cluster.close())

describe('the locks of a fake server', () => {
  it('let an insert wait for the one before it, and refuse it when that commits', async () => {
    await one.run('BEGIN')
    await one.run("INSERT INTO t VALUES ('x', 1)")
    const second = two.run("INSERT INTO t VALUES ('x', 2)")
    await arrive()
    await one.run('COMMIT')
    expect(await second).toBe(1062)
  })

  it('let an insert wait for the one before it, and take its place when that rolls back', async () => {
    await one.run('BEGIN')
    await one.run("INSERT INTO t VALUES ('x', 1)")
    const second = two.run("INSERT INTO t VALUES ('x', 2)")
    await arrive()
    await one.run('ROLLBACK')
    expect([await second, await keys(cluster)]).toEqual([1, { a: 1, b: 2, x: 2 }])
  })

  it('go back when their connection ends', async () => {
    await one.run('BEGIN')
    await one.run("UPDATE t SET v = 10 WHERE k = 'a'")
    const second = two.run("UPDATE t SET v = v + 1 WHERE k = 'a'")
    await arrive()
    one.stream.destroy()
    expect([await second, await keys(cluster)]).toEqual([1, { a: 2, b: 2 }])
  })

  it('give up with 1205, which undoes the statement and not the transaction', async () => {
    await one.run("UPDATE t SET v = 3 WHERE k = 'b'")
    await one.run('BEGIN')
    await one.run("UPDATE t SET v = 10 WHERE k = 'a'")
    await two.run('SET innodb_lock_wait_timeout = 2')
    await two.run('BEGIN')
    await two.run("UPDATE t SET v = 5 WHERE k = 'b'")
    const waiting = two.run("UPDATE t SET v = 11 WHERE k = 'a'")
    await arrive()
    await clock.advance(2_000)
    expect([await waiting, await two.run('COMMIT'), await keys(cluster)]).toEqual([1205, 0, { a: 1, b: 5 }])
  })

  it('refuse with 1213 the one that would close a circle, and undo all of it', async () => {
    for (const [each, k] of [
      [one, 'a'],
      [two, 'b'],
    ] as const) {
      await each.run('BEGIN')
      await each.run('UPDATE t SET v = 9 WHERE k = ?', [k])
    }
    const waiting = one.run("UPDATE t SET v = 9 WHERE k = 'b'")
    await arrive()
    expect([await two.run("UPDATE t SET v = 9 WHERE k = 'a'"), await waiting]).toEqual([1213, 1])
    await one.run('COMMIT')
    expect(await keys(cluster)).toEqual({ a: 9, b: 9 })
  })
})

describe('a transaction on a fake server', () => {
  it('sees its own changes and nobody else does', async () => {
    await one.run('BEGIN')
    await one.run("DELETE FROM t WHERE k = 'a'")
    const seen = [await one.run('SELECT COUNT(*) AS n FROM t'), await two.run('SELECT COUNT(*) AS n FROM t')]
    expect(seen).toEqual([[{ n: 1n }], [{ n: 2n }]])
  })

  it('reads the same again, whatever others commit', async () => {
    await one.run('BEGIN')
    await one.run('SELECT * FROM t')
    await two.run("UPDATE t SET v = 7 WHERE k = 'a'")
    expect(await one.run("SELECT v FROM t WHERE k = 'a'")).toEqual([{ v: 1 }])
  })

  it('adds to the latest value all the same', async () => {
    await one.run('BEGIN')
    await one.run('SELECT * FROM t')
    await two.run("UPDATE t SET v = 7 WHERE k = 'a'")
    await one.run("UPDATE t SET v = v + 1 WHERE k = 'a'")
    await one.run('COMMIT')
    expect(await keys(cluster)).toEqual({ a: 8, b: 2 })
  })

  it('goes back to a savepoint', async () => {
    await one.run('BEGIN')
    await one.run("UPDATE t SET v = 5 WHERE k = 'a'")
    await one.run('SAVEPOINT s')
    await one.run('DELETE FROM t')
    await one.run('ROLLBACK TO SAVEPOINT s')
    await one.run('COMMIT')
    expect(await keys(cluster)).toEqual({ a: 5, b: 2 })
  })

  it('keeps what came before a statement that fails in the middle', async () => {
    await one.run('BEGIN')
    await one.run("UPDATE t SET v = 5 WHERE k = 'a'")
    expect(await one.run("INSERT INTO t VALUES ('c', 3), ('b', 3)")).toBe(1062)
    await one.run('COMMIT')
    expect(await keys(cluster)).toEqual({ a: 5, b: 2 })
  })

  it('begins by itself without autocommit', async () => {
    await one.run('SET autocommit = 0')
    await one.run("UPDATE t SET v = 5 WHERE k = 'a'")
    await one.run('ROLLBACK')
    expect(await keys(cluster)).toEqual({ a: 1, b: 2 })
  })

  it('that only reads refuses to write', async () => {
    await one.run('START TRANSACTION READ ONLY')
    expect(await one.run("UPDATE t SET v = 5 WHERE k = 'a'")).toBe(1792)
  })

  it('is gone when the connection is reset', async () => {
    await one.run('BEGIN')
    await one.run("UPDATE t SET v = 5 WHERE k = 'a'")
    await one.connection.reset()
    expect([await one.run('COMMIT'), await keys(cluster)]).toEqual([0, { a: 1, b: 2 }])
  })
})

describe('a statement on a fake server', () => {
  it('that is prepared answers in binary with the same rows', async () => {
    const rows = await one.connection.execute('SELECT k, v, NULL AS n FROM t WHERE v >= ? AND k <> ?', [
      1,
      'b',
    ])
    expect([...(rows as unknown[])]).toEqual([{ k: 'a', v: 1, n: null }])
  })

  it('takes what a driver can bind, and gives it back', async () => {
    await cluster.query('CREATE TABLE m (i INT, b BIGINT, d DOUBLE, s TEXT, x BLOB, t DATETIME)')
    const row = [-3, 9_007_199_254_740_993n, 1.5, "it's", Buffer.from([0, 1, 255]), '2026-01-02 03:04:05']
    await one.connection.execute('INSERT INTO m VALUES (?, ?, ?, ?, ?, ?)', row)
    const options = { sql: 'SELECT * FROM m', rowsAsArray: true, dateStrings: true }
    expect([...((await one.connection.query(options)) as unknown[])]).toEqual([row])
    expect([...((await one.connection.execute(options)) as unknown[])]).toEqual([row])
  })

  it('in bulk is all or nothing', async () => {
    const rows = [
      ['x', 1],
      ['a', 2],
    ]
    await expect(one.connection.batch('INSERT INTO t VALUES (?, ?)', rows)).rejects.toMatchObject({
      errno: 1062,
    })
    expect(await keys(cluster)).toEqual({ a: 1, b: 2 })
  })

  it('that nobody knows is refused by its name', async () => {
    await expect(one.connection.query('CALL p()')).rejects.toMatchObject({
      errno: 1064,
      sqlMessage:
        'the fake server has no shape for this statement; answer it with a rule: ' +
        `cluster.script({ when: { sql: "CALL p()" }, do: 'answer', with: { rows: [{ n: 1 }] } })`,
    })
  })

  it('ends with 1969 when its time is over', async () => {
    await two.run('SET max_statement_time = 2')
    const asleep = [
      one.run('SET STATEMENT max_statement_time = 1 FOR SELECT SLEEP(5)'),
      two.run('SELECT SLEEP(5)'),
      two.run('SELECT SLEEP(1) AS s'),
    ]
    await arrive()
    await clock.advance(2_000)
    await arrive()
    await clock.advance(1_000)
    expect(await Promise.all(asleep)).toEqual([1969, 1969, [{ s: 0 }]])
  })

  it('is killed by another connection', async () => {
    const asleep = two.run('SELECT SLEEP(5)')
    await arrive()
    await one.run(`KILL QUERY ${two.connection.threadId}`)
    expect(await asleep).toBe(1317)
  })

  it('is told of what it has changed in the session', async () => {
    await one.run('USE mysql')
    await two.connection.query('SET NAMES latin1')
    const [first, second] = [one, two].map(({ connection }) => connection.info as unknown as Told)
    expect([first?.database, second?.collation.charset]).toEqual(['mysql', 'latin1'])
  })
})

// What the driver keeps of what it is told, though its types do not say so.
interface Told {
  readonly database: string
  readonly collation: { readonly charset: string }
}
