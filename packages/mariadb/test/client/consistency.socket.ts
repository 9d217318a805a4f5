import { until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import type { Mariadb } from '../../src/index.ts'
import { describeEnd } from './describe-end.ts'
import { type Harness, replicationHarness, rowsOf } from './harness.ts'

const replica = { route: 'replica' } as const
const read = "SELECT v FROM t WHERE k = 'a'"

/** A real primary applies nothing, so MASTER_GTID_WAIT never succeeds there. */
const deafPrimary = {
  when: { sql: /MASTER_GTID_WAIT/, node: 1 },
  do: 'answer',
  with: { rows: [{ reached: -1 }] },
} as const

/** A primary and two replicas that apply nothing any more, and a client that has written a first row. */
async function stoppedReplicas(consistency: 'eventual' | 'session' | 'strong'): Promise<Harness> {
  // No further monitor probes: they would report the stopped replicas, and no read would go there.
  const harness = await replicationHarness({ consistency, monitor: { intervalMs: 60_000 } })
  const { cluster, db } = harness
  await cluster.query("INSERT INTO t VALUES ('a', 0)")
  cluster.script(deafPrimary)
  await db.ready()
  await until('the replicas are known', () => db.health().hosts.every(({ health }) => health === 'up'))
  cluster.node(2).stopApplier()
  cluster.node(3).stopApplier()
  return harness
}

async function valueSeen(db: Mariadb, options: object): Promise<unknown> {
  const [row] = await db.query<{ v: number }>(read, undefined, options)
  return row?.v
}

describe('a read of a replica that applies nothing any more', () => {
  it('may be stale when it is eventual', async () => {
    const { db } = await stoppedReplicas('eventual')
    await db.query("UPDATE t SET v = 1 WHERE k = 'a'")
    expect(await valueSeen(db, replica)).toBe(0)
  })

  it('sees what its client wrote when it is of the session, from the writer, within its deadline', async () => {
    const { db, cluster } = await stoppedReplicas('session')
    await db.query("UPDATE t SET v = 1 WHERE k = 'a'")
    expect(await valueSeen(db, { ...replica, timeoutMs: 2_000 })).toBe(1)
    expect(cluster.log.entries({ sql: read }).map(({ node }) => node)).toEqual([1])
  })

  it('sees what anybody wrote when it is strong', async () => {
    const { db, cluster } = await stoppedReplicas('eventual')
    await cluster.query("UPDATE t SET v = 1 WHERE k = 'a'")
    expect(await valueSeen(db, { ...replica, consistency: 'strong' })).toBe(1)
  })

  const writes: readonly (readonly [string, (db: Mariadb) => Promise<unknown>])[] = [
    ['a statement', (db) => db.execute('UPDATE t SET v = ? WHERE k = ?', [1, 'a'])],
    ['a transaction', (db) => db.transaction((tx) => tx.query("UPDATE t SET v = 1 WHERE k = 'a'"))],
    ['a batch', (db) => db.batch('UPDATE t SET v = ? WHERE k = ?', [[1, 'a']])],
    ['a session', (db) => db.session((session) => session.query("UPDATE t SET v = 1 WHERE k = 'a'"))],
  ]

  it.each(writes)('sees what %s of its client wrote', async (_, write) => {
    const { db } = await stoppedReplicas('session')
    await write(db)
    expect(await valueSeen(db, replica)).toBe(1)
  })

  const reads: readonly (readonly [string, (db: Mariadb) => Promise<unknown>])[] = [
    ['a prepared statement', async (db) => (await db.execute<{ v: number }>(read, undefined, replica))[0]?.v],
    ['readOnly()', (db) => db.readOnly(async (tx) => (await tx.query<{ v: number }>(read))[0]?.v)],
    [
      'a stream',
      async (db) => {
        for await (const row of db.stream<{ v: number }>(read, undefined, replica)) return row.v
        return undefined
      },
    ],
  ]

  it.each(reads)('sees it by %s as well', async (_, look) => {
    const { db } = await stoppedReplicas('session')
    await db.query("UPDATE t SET v = 1 WHERE k = 'a'")
    expect(await look(db)).toBe(1)
  })

  it('goes to the writer when the position of a write could not be had', async () => {
    const { db, cluster } = await stoppedReplicas('session')
    cluster.script({ when: { sql: /last_gtid/, times: 1 }, do: 'refuse', errno: 1193 })
    await db.query("UPDATE t SET v = 1 WHERE k = 'a'")
    expect(await valueSeen(db, replica)).toBe(1)
    expect(await db.readOnly(async (tx) => (await tx.query<{ v: number }>(read))[0]?.v)).toBe(1)
  })
})

describe('a write that was acknowledged', () => {
  it('is done, also when its connection is lost before its position is known', async () => {
    const { db, cluster } = await replicationHarness({ consistency: 'session' })
    cluster.script({ when: { sql: /last_gtid/, times: 1 }, do: 'cut', how: 'reset' })
    expect(await describeEnd(db.query("INSERT INTO t VALUES ('a', 1)"))).toBe('done')
    expect(await rowsOf(cluster)).toEqual({ a: 1 })
  })

  it('is done, also when its position never comes, and is seen by the next read', async () => {
    const { db, cluster } = await stoppedReplicas('session')
    cluster.script({ when: { sql: /last_gtid/, times: 1 }, do: 'silence' })
    await db.query("UPDATE t SET v = 1 WHERE k = 'a'", undefined, { timeoutMs: 300 })
    expect(await valueSeen(db, replica)).toBe(1)
  })

  it('is not sent again for the sake of its position, though twice would be harmless', async () => {
    const { db, cluster } = await replicationHarness({ consistency: 'session' })
    cluster.script({ when: { sql: /last_gtid/, times: 1 }, do: 'cut', how: 'reset' })
    await db.query("INSERT INTO t VALUES ('a', 1)", undefined, { repeatable: true })
    expect(await rowsOf(cluster)).toEqual({ a: 1 })
  })
})

describe('ten thousand reads of the session', { timeout: 60_000 }, () => {
  it('are not stale once, while the replicas apply late, stop and go on', async () => {
    const { db, cluster } = await replicationHarness({ consistency: 'session' })
    await cluster.query("INSERT INTO t VALUES ('a', 0)")
    await db.ready()
    cluster.node(2).lagMs = 20
    let stale = 0
    let replicaReads = 0
    for (let round = 1; round <= 100; round += 1) {
      if (round % 20 === 5) cluster.node(3).stopApplier()
      if (round % 20 === 8) cluster.node(3).startApplier()
      await db.query("UPDATE t SET v = ? WHERE k = 'a'", [round])
      const seen = await Promise.all(Array.from({ length: 100 }, () => valueSeen(db, replica)))
      stale += seen.filter((value) => value !== round).length
    }
    replicaReads = cluster.log.entries({ sql: read }).filter(({ node }) => node !== 1).length
    expect(stale).toBe(0)
    expect(replicaReads).toBeGreaterThan(5_000)
  })
})
