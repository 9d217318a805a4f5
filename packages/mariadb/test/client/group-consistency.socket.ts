import { deferred } from '@ha/core/driver'
import { until } from '@ha/core/testing'
import { expect, test } from 'vitest'
import type { Mariadb, Session } from '../../src/index.ts'
import { galeraHarness, type Harness } from './harness.ts'

const read = "SELECT v FROM t WHERE k = 'a'"
const write = "UPDATE t SET v = 1 WHERE k = 'a'"
const writesNothing = "UPDATE t SET v = v WHERE k = 'nobody'"

async function valueSeen(db: Mariadb, options: object): Promise<unknown> {
  const [row] = await db.query<{ v: number }>(read, undefined, options)
  return row?.v
}

/** A client of three running nodes that has written nothing yet; the table has one row with 0. */
async function written(options: object = {}): Promise<Harness> {
  const harness = await galeraHarness({ consistency: 'session', ...options })
  const { cluster, db } = harness
  await cluster.query("INSERT INTO t VALUES ('a', 0)")
  await cluster.query('CREATE TABLE ha_ledger (token VARCHAR(64) PRIMARY KEY, kind VARCHAR(6) NOT NULL)')
  await db.ready()
  await until('all are up', () => db.health().hosts.every(({ health }) => health === 'up'))
  return harness
}

/** The values that twenty reads on all nodes see. */
async function seenAnywhere({ db }: Harness): Promise<ReadonlySet<unknown>> {
  return new Set(await Promise.all(Array.from({ length: 20 }, () => valueSeen(db, { route: 'any' }))))
}

/** Repeats an action until it ran on that node. */
async function untilOn(
  node: number,
  { cluster }: Harness,
  sql: string,
  work: () => Promise<unknown>,
): Promise<void> {
  const isThere = (): boolean => cluster.log.entries({ sql }).at(-1)?.node === node
  const endsAt = performance.now() + 10_000
  while (!isThere() && performance.now() < endsAt) await work()
  expect(isThere()).toBe(true)
}

test('a strong read waits until its node has applied what was committed elsewhere', async () => {
  const { db, cluster } = await galeraHarness()
  await cluster.query("INSERT INTO t VALUES ('a', 0)")
  await db.ready()
  cluster.node(1).stopApplier()
  await cluster.query("UPDATE t SET v = 1 WHERE k = 'a'")
  const strong = valueSeen(db, { consistency: 'strong' })
  await cluster.log.until({ sql: /wsrep_sync_wait=1/ })
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(cluster.log.count({ sql: read })).toBe(0)
  cluster.node(1).startApplier()
  expect(await strong).toBe(1)
})

test('a read waits also where somebody had a session of his own before', async () => {
  const { db, cluster } = await galeraHarness({ consistency: 'session', pool: { maximumSize: 1 } })
  await db.ready()
  await until('all are up', () => db.health().hosts.every(({ health }) => health === 'up'))
  const own = (): Promise<unknown> => db.session((session) => session.query('SET @x = 1'), { route: 'any' })
  await Promise.all([own(), own(), own()])
  await db.query("INSERT INTO t VALUES ('a', 1)")
  cluster.node(2).stopApplier()
  cluster.node(3).stopApplier()
  await db.query("UPDATE t SET v = 2 WHERE k = 'a'")
  const seen = await Promise.all(Array.from({ length: 20 }, () => valueSeen(db, { route: 'any' })))
  expect(new Set(seen)).toEqual(new Set([2]))
})

test('a read of the session waits on another node than the one that was written to', async () => {
  const { db, cluster } = await galeraHarness({ consistency: 'session' })
  await db.ready()
  await until('all are up', () => db.health().hosts.every(({ health }) => health === 'up'))
  await db.query("INSERT INTO t VALUES ('a', 1)")
  cluster.node(2).stopApplier()
  cluster.node(3).stopApplier()
  await db.query("UPDATE t SET v = 2 WHERE k = 'a'")
  const seen = await Promise.all(Array.from({ length: 20 }, () => valueSeen(db, { route: 'any' })))
  expect(new Set(seen)).toEqual(new Set([2]))
})

test('a statement elsewhere that wrote nothing does not prove that its node has everything', async () => {
  const harness = await written()
  harness.cluster.node(3).stopApplier()
  await harness.db.query(write)
  await untilOn(3, harness, writesNothing, () => harness.db.query(writesNothing, undefined, { route: 'any' }))

  expect(await seenAnywhere(harness)).toEqual(new Set([1]))
})

test('a transaction elsewhere that only read does not prove it either', async () => {
  const harness = await written()
  const looks = "SELECT v FROM t WHERE k = 'z'"
  harness.cluster.node(3).stopApplier()
  await harness.db.query(write)
  await untilOn(3, harness, looks, () => harness.db.transaction((tx) => tx.query(looks), { route: 'any' }))

  expect(await seenAnywhere(harness)).toEqual(new Set([1]))
})

test('a transaction is seen whose COMMIT was answered by the commit log alone', async () => {
  const harness = await written({ commitLog: true })
  harness.cluster.node(3).stopApplier()
  harness.cluster.script({ when: { sql: 'COMMIT', times: 1 }, do: 'cut', how: 'reset', at: 'unanswered' })
  await harness.db.transaction((tx) => tx.query(write))

  expect(await seenAnywhere(harness)).toEqual(new Set([1]))
})

test('a write whose session is over in time is seen', async () => {
  const harness = await written()
  harness.cluster.node(3).stopApplier()
  const writesAndStays = async (): Promise<unknown> =>
    harness.db.session(
      async (session) => {
        await session.query(write)
        await new Promise((resolve) => setTimeout(resolve, 200))
      },
      { timeoutMs: 100 },
    )
  await expect(writesAndStays()).rejects.toMatchObject({ code: 'timed-out' })

  expect(await seenAnywhere(harness)).toEqual(new Set([1]))
})

test('one wait on a node is enough for as long as nothing is written elsewhere', async () => {
  const harness = await written()
  await harness.db.query(write)
  await untilOn(3, harness, read, () => valueSeen(harness.db, { route: 'any' }))
  harness.cluster.log.clear()
  await Promise.all(Array.from({ length: 30 }, () => valueSeen(harness.db, { route: 'any' })))

  const waits = harness.cluster.log.entries({ sql: /wsrep_sync_wait=1/ })
  expect(waits.filter(({ node }) => node === 3)).toEqual([])
})

test('where all nodes take writes, one that applies nothing does not take the whole time of a read', async () => {
  const harness = await written({ mode: 'loadbalance' })
  const { db, cluster } = harness
  await untilOn(1, harness, write, () => db.query(write))
  cluster.node(3).stopApplier()
  await cluster.query("INSERT INTO t VALUES ('b', 0)")
  const seen = await Promise.all(
    Array.from({ length: 20 }, () =>
      valueSeen(db, { timeoutMs: 4_000 }).catch((error: Error) => error.message),
    ),
  )

  expect(new Set(seen)).toEqual(new Set([1]))
})

test('what somebody leaves on a connection costs no login', async () => {
  const { db, cluster } = await written({ consistency: 'eventual', pool: { maximumSize: 1 } })
  await db.session((session) => session.query('SET @x = 1'))
  cluster.log.clear()
  for (let i = 0; i < 20; i += 1) await db.session((session) => session.query('SET @x = 1'))

  expect(cluster.log.count({ command: 'log-in' })).toBe(0)
  expect(cluster.log.count({ command: 'reset-connection' })).toBeGreaterThanOrEqual(19)
})

const strongReads: readonly (readonly [string, (db: Mariadb) => Promise<unknown>])[] = [
  ['read', (db) => valueSeen(db, { consistency: 'strong' })],
  [
    'transaction that only reads',
    (db) =>
      db.readOnly(async (tx) => (await tx.query<{ v: number }>(read))[0]?.v, {
        consistency: 'strong',
        route: 'primary',
      }),
  ],
]

test.each(strongReads)(
  'a strong %s waits, also when every session of the pool was reset',
  async (_, look) => {
    const { db, cluster } = await written({ consistency: 'eventual', pool: { maximumSize: 12 } })
    const lent = deferred()
    const sets = async (session: Session): Promise<unknown> => {
      await lent.promise
      return session.query('SET @x = 1')
    }
    const sessions = Array.from({ length: 12 }, () => db.session(sets))
    await until('all are lent', () => db.health().hosts[0]?.inUse === 12)
    lent.resolve()
    await Promise.all(sessions)
    cluster.node(1).stopApplier()
    await cluster.query(write)
    const strong = look(db)
    await cluster.log.until({ sql: /wsrep_sync_wait=1/ })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(cluster.log.count({ sql: read })).toBe(0)
    cluster.node(1).startApplier()

    expect(await strong).toBe(1)
  },
)
