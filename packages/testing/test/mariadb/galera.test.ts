import { FakeClock } from '@ha/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FakeCluster, type FakeGaleraOptions, startFakeGalera } from '../../src/mariadb/index.ts'
import { arrive, client, keys, keyTable } from './client.ts'

let clock: FakeClock
let cluster: FakeCluster

async function start(options: FakeGaleraOptions = {}): Promise<void> {
  clock = new FakeClock()
  cluster = await startFakeGalera({ clock, listens: false, ...options })
  await keyTable(cluster, { a: 1 })
}

beforeEach(() => start())
afterEach(() => cluster.close())

describe('a fake Galera cluster', () => {
  it('has on every node what one has committed', async () => {
    const [one, three] = [await client(cluster.node(1)), await client(cluster.node(3))]
    await one.run("INSERT INTO t VALUES ('b', 2)")
    expect(await three.run('SELECT v FROM t ORDER BY k')).toEqual([{ v: 1 }, { v: 2 }])
  })

  it('lets the first one win when two nodes change the same row', async () => {
    const [one, two] = [await client(cluster.node(1)), await client(cluster.node(2))]
    for (const each of [one, two]) {
      await each.run('BEGIN')
      await each.run("UPDATE t SET v = v + 1 WHERE k = 'a'")
    }
    expect([await one.run('COMMIT'), await two.run('COMMIT')]).toEqual([0, 1213])
    expect(await keys(cluster)).toEqual({ a: 2 })
  })

  it('lets only one of two nodes insert a key', async () => {
    const [one, two] = [await client(cluster.node(1)), await client(cluster.node(2))]
    for (const each of [one, two]) {
      await each.run('BEGIN')
      await each.run("INSERT INTO t VALUES ('token', 1)")
    }
    expect([await two.run('COMMIT'), await one.run('COMMIT')]).toEqual([0, 1213])
  })

  it('says of a member what a provider says', async () => {
    const one = await client(cluster.node(2))
    const rows = await one.run(
      "SHOW STATUS WHERE Variable_name IN ('wsrep_ready','wsrep_cluster_status','wsrep_local_state','wsrep_cluster_size','wsrep_local_index')",
    )
    expect(rows).toEqual([
      { Variable_name: 'wsrep_cluster_size', Value: '3' },
      { Variable_name: 'wsrep_cluster_status', Value: 'Primary' },
      { Variable_name: 'wsrep_local_index', Value: '1' },
      { Variable_name: 'wsrep_local_state', Value: '4' },
      { Variable_name: 'wsrep_ready', Value: 'ON' },
    ])
  })

  it('keeps tables from the clients of an isolated node, and nothing else', async () => {
    const one = await client(cluster.node(1))
    cluster.node(1).isolate()
    await one.connection.ping()
    expect(await one.run('SELECT 1 AS a')).toEqual([{ a: 1 }])
    expect(await one.run('SELECT * FROM t')).toBe(1047)
    expect(await one.run("INSERT INTO t VALUES ('b', 1)")).toBe(1047)
  })

  it('keeps the clients of an isolated node, and shows them what they have missed when it has recovered', async () => {
    const one = await client(cluster.node(1))
    cluster.node(1).isolate()
    await cluster.query("INSERT INTO t VALUES ('b', 2)")
    cluster.node(1).recover()
    await clock.advance(100)
    expect(await one.run('SELECT COUNT(*) AS n FROM t')).toEqual([{ n: 2n }])
  })

  it('leaves a transaction open whose commit it refused because the node was isolated', async () => {
    const one = await client(cluster.node(1))
    await one.run('BEGIN')
    await one.run("UPDATE t SET v = 5 WHERE k = 'a'")
    cluster.node(1).isolate()
    const refused = await one.run('COMMIT')
    cluster.node(1).recover()
    await clock.advance(100)
    expect([refused, await one.run('COMMIT'), await keys(cluster)]).toEqual([1047, 0, { a: 5 }])
  })

  it('has no quorum when two of three are killed, and has it again when one is back', async () => {
    const one = await client(cluster.node(1))
    await cluster.node(2).kill()
    expect(await one.run("UPDATE t SET v = 2 WHERE k = 'a'")).toBe(1)
    await cluster.node(3).kill()
    expect(await one.run("UPDATE t SET v = 3 WHERE k = 'a'")).toBe(1047)
    await cluster.node(3).start()
    expect(await one.run("UPDATE t SET v = 4 WHERE k = 'a'")).toBe(1)
  })

  it('keeps quorum when all but one stop in good order', async () => {
    const one = await client(cluster.node(1))
    for (const number of [2, 3]) await cluster.node(number).stop()
    expect(await one.run("UPDATE t SET v = 2 WHERE k = 'a'")).toBe(1)
  })

  it('ends the connections of a node that stops, whatever they wait for', async () => {
    const one = await client(cluster.node(1))
    const answer = one.run('SELECT SLEEP(10)')
    await arrive()
    await cluster.node(1).stop()
    expect(await answer).toBe(45009)
    await arrive()
    expect(cluster.node(1).connections).toBe(0)
  })

  it('gives every member ids of its own', async () => {
    await cluster.query('CREATE TABLE ids (id INT PRIMARY KEY AUTO_INCREMENT, k INT)')
    for (const node of cluster.nodes) await (await client(node)).run('INSERT INTO ids (k) VALUES (1), (2)')
    const rows = await cluster.query('SELECT id FROM ids ORDER BY id')
    expect(rows.map((row) => row['id'])).toEqual([1, 4, 5, 8, 9, 12])
  })
})

describe('while a fake Galera cluster changes its view', () => {
  beforeEach(() => start({ viewChangeMs: 5_000 }))

  it('commits hang and reads go on', async () => {
    const [one, two] = [await client(cluster.node(1)), await client(cluster.node(2))]
    await cluster.node(3).kill()
    let changed: unknown
    void one.run("UPDATE t SET v = 2 WHERE k = 'a'").then((rows) => {
      changed = rows
    })
    await clock.advance(4_999)
    expect([changed, await two.run('SELECT v FROM t')]).toEqual([undefined, [{ v: 1 }]])
    await clock.advance(1)
    await arrive()
    expect(changed).toBe(1)
  })

  it('a node that stood still for less stays a member', async () => {
    const one = await client(cluster.node(1))
    cluster.node(1).pause()
    await clock.advance(4_000)
    cluster.node(1).resume()
    await clock.advance(5_000)
    expect(await one.run("UPDATE t SET v = 2 WHERE k = 'a'")).toBe(1)
  })

  it('a node that is cut off reads on, and refuses its commits with 1180 when it knows', async () => {
    const one = await client(cluster.node(1))
    cluster.node(1).isolate()
    const write = one.run("UPDATE t SET v = 2 WHERE k = 'a'")
    const read = await (await client(cluster.node(1))).run('SELECT v FROM t')
    await clock.advance(5_000)
    expect([read, await write, await keys(cluster)]).toEqual([[{ v: 1 }], 1180, { a: 1 }])
  })
})

describe('a node that stood still until it was given up', () => {
  it('cannot commit what it had open, and loses against the fence', async () => {
    const origin = await client(cluster.node(1))
    await origin.run('BEGIN')
    await origin.run("INSERT INTO t VALUES ('token', 1)")
    cluster.node(1).pause()
    const commit = origin.run('COMMIT')
    const fence = await client(cluster.node(2))
    expect(await fence.run("INSERT INTO t VALUES ('token', 2)")).toBe(1)
    cluster.node(1).resume()
    await clock.advance(100)
    await arrive()
    expect(await commit).toBe(1180)
    expect(await keys(cluster)).toEqual({ a: 1, token: 2 })
  })

  it('does what had arrived while it stood still', async () => {
    const one = await client(cluster.node(1))
    cluster.node(1).pause()
    const answer = one.run('SELECT 7 AS n')
    await arrive()
    cluster.node(1).resume()
    expect(await answer).toEqual([{ n: 7 }])
  })

  it('keeps its clients, and their transactions as far as nobody has overtaken them', async () => {
    const [one, two] = [await client(cluster.node(1)), await client(cluster.node(1))]
    await cluster.query("INSERT INTO t VALUES ('b', 1)")
    for (const [each, k] of [
      [one, 'a'],
      [two, 'b'],
    ] as const) {
      await each.run('BEGIN')
      await each.run('UPDATE t SET v = 5 WHERE k = ?', [k])
    }
    cluster.node(1).pause()
    await cluster.query("UPDATE t SET v = 7 WHERE k = 'a'")
    cluster.node(1).resume()
    await clock.advance(100)
    expect([await one.run('COMMIT'), await two.run('COMMIT'), await keys(cluster)]).toEqual([
      1213,
      0,
      { a: 7, b: 5 },
    ])
  })
})

describe('a node that is told to say something else', () => {
  it('acts by it', async () => {
    const one = await client(cluster.node(1))
    cluster.node(1).set({ wsrep_reject_queries: 'ALL' })
    expect(await one.run('SELECT * FROM t')).toBe(1047)
    cluster.node(1).set({ wsrep_reject_queries: 'NONE', read_only: 'ON' })
    expect(await one.run("INSERT INTO t VALUES ('b', 1)")).toBe(1290)
  })

  it('is a donor while it is desynced', async () => {
    const one = await client(cluster.node(1))
    await one.run('SET GLOBAL wsrep_desync = ON')
    expect(await one.run("SHOW STATUS LIKE 'wsrep_local_state_comment'")).toEqual([
      { Variable_name: 'wsrep_local_state_comment', Value: 'Donor/Desynced' },
    ])
  })

  it('waits with a read for a commit that its applier has not reached', async () => {
    const [one, two] = [await client(cluster.node(1)), await client(cluster.node(2))]
    cluster.node(2).stopApplier()
    await one.run("UPDATE t SET v = 9 WHERE k = 'a'")
    const [{ token }] = (await one.run('SELECT WSREP_LAST_WRITTEN_GTID() AS token')) as [{ token: Buffer }]
    expect(await two.run('SELECT v FROM t')).toEqual([{ v: 1 }])
    const synced = two.run('SELECT WSREP_SYNC_WAIT_UPTO_GTID(?, 10) AS s', [token])
    await arrive()
    cluster.node(2).startApplier()
    expect([await synced, await two.run('SELECT v FROM t')]).toEqual([[{ s: '1' }], [{ v: 9 }]])
  })

  it('gives up that wait with 1205 when its time is over', async () => {
    const [one, two] = [await client(cluster.node(1)), await client(cluster.node(2))]
    cluster.node(2).stopApplier()
    await one.run("UPDATE t SET v = 9 WHERE k = 'a'")
    const [{ token }] = (await one.run('SELECT WSREP_LAST_WRITTEN_GTID() AS token')) as [{ token: Buffer }]
    const synced = two.run('SELECT WSREP_SYNC_WAIT_UPTO_GTID(?, 2) AS s', [token])
    await arrive()
    await clock.advance(2_000)
    await arrive()
    expect(await synced).toBe(1205)
  })
})
