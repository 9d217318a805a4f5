import { FakeClock } from '@ha/core/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FakeCluster, startFakeReplication } from '../../src/mariadb/index.ts'
import { type Client, client, keyTable } from './client.ts'

let clock: FakeClock
let cluster: FakeCluster
let primary: Client
let replica: Client

beforeEach(async () => {
  clock = new FakeClock()
  cluster = await startFakeReplication({ clock, listens: false })
  await keyTable(cluster, { a: 1 })
  primary = await client(cluster.node(1))
  replica = await client(cluster.node(2))
})
afterEach(() => cluster.close())

const write = "UPDATE t SET v = 2 WHERE k = 'a'"

describe('a fake primary with replicas', () => {
  it('lets only the primary write', async () => {
    expect([await replica.run(write), await primary.run(write)]).toEqual([1290, 1])
  })

  it('shows on a replica what the primary wrote, after its lag', async () => {
    cluster.node(2).lagMs = 500
    await primary.run(write)
    const before = await replica.run('SELECT v FROM t')
    await clock.advance(500)
    expect([before, await replica.run('SELECT v FROM t')]).toEqual([[{ v: 1 }], [{ v: 2 }]])
  })

  it('says how far behind a replica is', async () => {
    cluster.node(2).lagMs = 5_000
    await primary.run(write)
    await clock.advance(1_500)
    expect(await replica.run('SHOW REPLICA STATUS')).toMatchObject([
      { Slave_SQL_Running: 'Yes', Seconds_Behind_Master: 2n },
    ])
  })

  it('waits on a replica for the last write of a session on the primary', async () => {
    cluster.node(2).lagMs = 500
    await primary.run(write)
    const [{ token }] = (await primary.run('SELECT @@last_gtid AS token')) as [{ token: string }]
    const late = replica.run('SELECT MASTER_GTID_WAIT(?, 0.1) AS w', [token])
    await clock.advance(100)
    const inTime = replica.run('SELECT MASTER_GTID_WAIT(?, 1) AS w', [token])
    await clock.advance(400)
    expect([await late, await inTime]).toEqual([[{ w: -1 }], [{ w: 0 }]])
  })

  it('waits in vain on the primary, which follows nobody', async () => {
    await primary.run(write)
    const [{ token }] = (await primary.run('SELECT @@last_gtid AS token')) as [{ token: string }]
    const waiting = primary.run('SELECT MASTER_GTID_WAIT(?, 0.5) AS w', [token])
    let settled = false
    void waiting.then(() => {
      settled = true
    })
    await clock.advance(499)
    const early = settled
    await clock.advance(1)
    expect([early, await waiting]).toEqual([false, [{ w: -1 }]])
  })

  it('can be told that another node is the primary', async () => {
    cluster.node(1).set({ read_only: 'ON' })
    cluster.node(2).set({ read_only: 'OFF' })
    expect([await primary.run(write), await replica.run(write)]).toEqual([1290, 1])
  })

  it('refuses the commit of who was the primary when it began', async () => {
    await primary.run('BEGIN')
    await primary.run(write)
    cluster.node(1).set({ read_only: 'ON' })
    expect(await primary.run('COMMIT')).toBe(1290)
  })
})
