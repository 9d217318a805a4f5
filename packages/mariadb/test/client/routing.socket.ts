import { pause, until } from '@ha/core/testing'
import type { FakeCluster } from '@ha/testing/mariadb'
import { describe, expect, it } from 'vitest'
import type { Mariadb } from '../../src/index.ts'
import { describeEnd } from './describe-end.ts'
import { clientOf, countOf, galeraHarness, rowsOf } from './harness.ts'

const otherUuid = '22222222-2222-2222-2222-222222222222'

/** The node that answers: by default the writer. */
async function nodeOf(db: Mariadb, cluster: FakeCluster): Promise<number> {
  const [row] = await db.query<{ id: number }>('SELECT @@server_id AS id')
  expect(cluster.nodes.length).toBeGreaterThan(0)
  return Number(row?.id)
}

async function allUp(db: Mariadb): Promise<void> {
  await db.ready()
  await until('all are up', () => db.health().hosts.every(({ health }) => health === 'up'))
}

function isWriter(db: Mariadb, cluster: FakeCluster, node: number): boolean {
  return db.health().writer === cluster.node(node).address
}

describe('writes leave a node that', () => {
  const ways: readonly (readonly [string, (cluster: FakeCluster) => unknown])[] = [
    ['is killed', (cluster) => cluster.node(1).kill()],
    ['stops in good order', (cluster) => cluster.node(1).stop()],
    ['freezes', (cluster) => cluster.node(1).pause()],
    ['is cut off from the others', (cluster) => cluster.node(1).isolate()],
    ['is drained', (cluster) => cluster.node(1).set({ wsrep_reject_queries: 'ALL' })],
    ['is read-only', (cluster) => cluster.node(1).set({ read_only: 'ON' })],
    ['feeds another node', (cluster) => cluster.node(1).set({ wsrep_local_state: 2 })],
    ['is not ready', (cluster) => cluster.node(1).set({ wsrep_ready: 'OFF' })],
  ]

  it.each(ways)('%s, and one failover is told', async (_, leave) => {
    const { db, cluster, events } = await galeraHarness()
    await allUp(db)
    await leave(cluster)
    await until('another one writes', () => isWriter(db, cluster, 2))
    await db.query("INSERT INTO t VALUES ('a', 1)")
    expect(await rowsOf(cluster)).toEqual({ a: 1 })
    expect(events.filter(({ name }) => name === 'failover')).toMatchObject([
      { event: { from: cluster.node(1).address, to: cluster.node(2).address } },
    ])
    expect(db.health()).toMatchObject({
      state: 'ready',
      lastFailover: { from: cluster.node(1).address, to: cluster.node(2).address },
    })
  })

  it('belongs to another cluster than most, and that is told', async () => {
    const { db, cluster, events } = await galeraHarness()
    await allUp(db)
    cluster.node(1).set({ wsrep_cluster_state_uuid: otherUuid })
    await until('another one writes', () => isWriter(db, cluster, 2))
    expect(events.filter(({ name }) => name === 'splitCluster')).toMatchObject([
      { event: { others: [otherUuid] } },
    ])
  })
})

describe('a node that feeds another one', () => {
  it('takes the writes when it is the last', async () => {
    const { db, cluster } = await galeraHarness()
    await allUp(db)
    cluster.node(1).set({ wsrep_local_state: 2 })
    await cluster.node(2).kill()
    await cluster.node(3).kill()
    await until('it is the only one', () => isWriter(db, cluster, 1))
  })
})

describe('a survivor that waits for the new view of the group', () => {
  it('stays up, its commits come through late, and one failover is told', async () => {
    const { db, cluster, events } = await galeraHarness({}, { viewChangeMs: 800 })
    await allUp(db)
    await cluster.node(1).kill()
    await until('its death is known', () => db.health().hosts[0]?.health === 'down')
    await db.query("INSERT INTO t VALUES ('a', 1)")
    const changes = events.filter(({ name, event }) => name === 'host' && event['from'] !== 'unknown')
    expect(changes).toMatchObject([{ event: { endpoint: cluster.node(1).address, to: 'down' } }])
    expect(countOf(events, 'failover')).toBe(1)
    expect(await rowsOf(cluster)).toEqual({ a: 1 })
  })
})

describe('the first host of the list', () => {
  it('has the writes again when it was well for `failBack.afterMs`, and not before', async () => {
    const { db, cluster, events } = await galeraHarness({ failBack: { afterMs: 600 } })
    await allUp(db)
    await cluster.node(1).kill()
    await until('another one writes', () => isWriter(db, cluster, 2))
    await cluster.node(1).start()
    await until('it answers again', () => db.health().hosts[0]?.health === 'probation')
    const sinceMs = performance.now()
    expect(isWriter(db, cluster, 2)).toBe(true)
    await until('it writes again', () => isWriter(db, cluster, 1))
    await until('that is told', () => countOf(events, 'failback') === 1)
    expect(performance.now() - sinceMs).toBeGreaterThan(500)
  })

  it('stays away while it comes and goes', async () => {
    const { db, cluster, events } = await galeraHarness({ failBack: { afterMs: 1_500 } })
    await allUp(db)
    for (let i = 0; i < 3; i += 1) {
      cluster.node(1).set({ wsrep_reject_queries: 'ALL' })
      await pause(300)
      cluster.node(1).set({ wsrep_reject_queries: 'NONE' })
      await pause(400)
    }
    expect([countOf(events, 'failover'), countOf(events, 'failback')]).toEqual([1, 0])
  })

  it('is a failover, and no return, when the one that took over is drained', async () => {
    const { db, cluster, events } = await galeraHarness({ failBack: { afterMs: 60_000 } })
    await allUp(db)
    cluster.node(1).set({ wsrep_reject_queries: 'ALL' })
    await until('another one writes', () => isWriter(db, cluster, 2))
    cluster.node(3).set({ wsrep_reject_queries: 'ALL' })
    cluster.node(1).set({ wsrep_reject_queries: 'NONE' })
    await pause(300)
    cluster.node(2).set({ wsrep_reject_queries: 'ALL' })
    await until('it writes again', () => isWriter(db, cluster, 1))
    await until('that is told', () => countOf(events, 'failover') + countOf(events, 'failback') === 2)
    expect(countOf(events, 'failback')).toBe(0)
  })

  it('is not returned to in the middle of a transaction', async () => {
    const { db, cluster } = await galeraHarness({ failBack: { afterMs: 200 } })
    await allUp(db)
    await cluster.node(1).kill()
    await until('another one writes', () => isWriter(db, cluster, 2))
    const seen = await db.transaction(async (tx) => {
      await cluster.node(1).start()
      await until('it writes again', () => isWriter(db, cluster, 1))
      await tx.query("INSERT INTO t VALUES ('a', 1)")
      return tx.endpoint
    })
    expect(seen).toBe(cluster.node(2).address)
    expect(await nodeOf(db, cluster)).toBe(1)
  })
})

describe('two clients with the same list', () => {
  it('agree on the writer through whatever happens', async () => {
    const { db, cluster } = await galeraHarness()
    const other = clientOf(cluster).db
    await Promise.all([allUp(db), allUp(other)])
    for (const leave of [
      () => cluster.node(1).pause(),
      () => cluster.node(2).set({ wsrep_desync: 'ON', wsrep_local_state: 2 }),
    ]) {
      leave()
      await pause(1_200)
      expect(other.health().writer).toBe(db.health().writer)
    }
    expect(isWriter(db, cluster, 3)).toBe(true)
  })
})

describe('a cluster without a quorum', () => {
  it('is its own error, is hardly asked, and is used again as soon as it has one', async () => {
    const { db, cluster, events } = await galeraHarness({}, { rejoinMs: 0 })
    await allUp(db)
    for (const node of cluster.nodes) node.isolate()
    await until('it is told', () => countOf(events, 'quorumLost') === 1)
    expect(await describeEnd(db.query('SELECT 1', undefined, { timeoutMs: 200 }))).toBe(
      'no-primary-component not-done 08001',
    )
    await expect(db.query('SELECT 1', undefined, { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'no-primary-component',
    })
    expect(db.health()).toMatchObject({ state: 'waiting', writer: undefined })
    const before = cluster.accepted
    const waiting = db.query("INSERT INTO t VALUES ('a', 1)")
    await pause(1_000)
    expect(cluster.accepted - before).toBeLessThanOrEqual(cluster.nodes.length)
    for (const node of cluster.nodes) node.recover()
    await waiting
    await until('that is told', () => countOf(events, 'quorumRestored') === 1)
    expect([countOf(events, 'quorumLost'), countOf(events, 'quorumRestored')]).toEqual([1, 1])
  })
})

describe('servers that are all dead', () => {
  it('are dialled once a second each, and used again by themselves', async () => {
    const { db, cluster } = await galeraHarness()
    await allUp(db)
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    // One read is lost in transit and has no effect either.
    expect(await describeEnd(db.query('SELECT 1', undefined, { timeoutMs: 300 }))).toBe(
      'timed-out not-done 70100',
    )
    const waiting = Promise.all(Array.from({ length: 100 }, () => db.query('SELECT 1')))
    await Promise.all(cluster.nodes.map((node) => node.start()))
    expect(await waiting).toHaveLength(100)
  })
})

describe('credentials that every host refuses', () => {
  it('are refused at once, not at the deadline', async () => {
    const { cluster } = await galeraHarness()
    const { db } = clientOf(cluster, { username: 'nobody', password: 'x', timeoutMs: 60_000 })
    const error = await db.query('SELECT 1').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'refused', outcome: 'not-done', sqlState: '28000' })
  })

  it('are tried elsewhere while one host takes them', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { command: 'log-in', node: 1 }, do: 'refuse', errno: 1045, sqlState: '28000' })
    expect(await nodeOf(db, cluster)).toBe(2)
  })
})

describe('a server whose status cannot be read', () => {
  it('is named with the reason, and used again once it can be', async () => {
    const { db, cluster } = await galeraHarness()
    const over = cluster.script({ when: { sql: /^SHOW GLOBAL VARIABLES/ }, do: 'refuse', errno: 1142 })
    const error = await db.query('SELECT 1', [], { timeoutMs: 400 }).catch((thrown: unknown) => thrown)
    expect(String(error)).toContain('answers, and its status cannot be read: ')
    over()
    await db.ready()
    expect(db.health().hosts.map(({ lastError }) => lastError)).not.toContain(expect.anything())
  })
})
