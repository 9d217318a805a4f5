import { pause } from '@ha/core/testing'
import type { FakeCluster, RequestPosition } from '@ha/testing/mariadb'
import { describe, expect, it } from 'vitest'
import type { MariadbOptions, Transaction } from '../../src/index.ts'
import { describeEnd } from './describe-end.ts'
import { clientOf, countOf, galeraHarness, type Harness, rowsOf } from './harness.ts'

/** A client with a commit log. */
async function commitLogHarness(options: Partial<MariadbOptions> = {}): Promise<Harness> {
  const harness = await galeraHarness({ commitLog: true, ...options })
  await harness.cluster.query(commitLogTable)
  return harness
}

const commitLogTable = 'CREATE TABLE ha_ledger (token VARCHAR(64) PRIMARY KEY, kind VARCHAR(6) NOT NULL)'

/** The row of one transaction: a second insert would fail, and a second update would make it 2. */
async function addOne(tx: Transaction): Promise<number> {
  await tx.query("INSERT INTO t VALUES ('sum', 0) ON DUPLICATE KEY UPDATE v = v")
  await tx.query("UPDATE t SET v = v + 1 WHERE k = 'sum'")
  return tx.attempt
}

const update = "UPDATE t SET v = v + 1 WHERE k = 'sum'"

async function kinds(cluster: FakeCluster): Promise<readonly unknown[]> {
  return (await cluster.query('SELECT kind FROM ha_ledger')).map(({ kind }) => kind).sort()
}

describe('a COMMIT whose answer was lost, without a commit log', () => {
  it.each(['before', 'unanswered'] as const)(
    'is unknown, and the callback is not run again (%s)',
    async (at) => {
      const { db, cluster, events } = await galeraHarness()
      cluster.script({ when: { sql: 'COMMIT' }, do: 'cut', how: 'reset', at })
      let runs = 0
      const call = db.transaction((tx) => {
        runs += 1
        return addOne(tx)
      })
      expect(await describeEnd(call)).toBe('outcome-unknown unknown 08007')
      expect(runs).toBe(1)
      expect(await rowsOf(cluster)).toEqual(at === 'before' ? {} : { sum: 1 })
      expect(countOf(events, 'outcomeUnknown')).toBe(1)
    },
  )

  it('is unknown when it is answered with 1180, for the group was lost meanwhile', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: 'COMMIT' }, do: 'refuse', errno: 1180 })
    expect(await describeEnd(db.transaction(addOne))).toBe('outcome-unknown unknown 08007')
  })

  it('is unknown when the deadline ends the wait for its answer', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: 'COMMIT' }, do: 'silence', at: 'unanswered' })
    expect(await describeEnd(db.transaction(addOne, { timeoutMs: 200 }))).toBe('timed-out unknown 08007')
  })
})

describe('a protected transaction', () => {
  const places: readonly (readonly [string, string | RegExp, RequestPosition])[] = [
    ['BEGIN', 'START TRANSACTION', 'unanswered'],
    ['its mark', /^INSERT INTO `ha_ledger`/, 'unanswered'],
    ['the middle', /^INSERT INTO t/, 'unanswered'],
    ['the last statement', update, 'unanswered'],
    ['COMMIT, which never arrives', 'COMMIT', 'before'],
    ['COMMIT, half of which arrives', 'COMMIT', { requestByte: 6 }],
    ['COMMIT, whose answer never leaves', 'COMMIT', 'unanswered'],
    ['the answer of COMMIT', 'COMMIT', { answerByte: 4 }],
    ['behind the answer of COMMIT', 'COMMIT', 'after'],
  ]

  it.each(places)('is applied exactly once when it is cut at %s', async (_, sql, at) => {
    const { db, cluster } = await commitLogHarness()
    cluster.script({ when: { sql, times: 1 }, do: 'cut', how: 'reset', at })
    await db.transaction(addOne)
    expect(await rowsOf(cluster)).toEqual({ sum: 1 })
    expect((await kinds(cluster)).filter((kind) => kind === 'marker')).toHaveLength(1)
  })

  it('that is found committed gives what its callback returned, and says so', async () => {
    const { db, cluster, events } = await commitLogHarness()
    cluster.script({ when: { sql: 'COMMIT', times: 1 }, do: 'cut', how: 'reset', at: 'unanswered' })
    expect(await db.transaction(addOne)).toBe(1)
    expect(events.filter(({ name }) => name === 'outcomeResolved')).toMatchObject([
      { event: { fate: 'committed' } },
    ])
  })

  it('that is fenced off is run again under a token of its own', async () => {
    const { db, cluster } = await commitLogHarness()
    cluster.script({ when: { sql: 'COMMIT', times: 1 }, do: 'cut', how: 'reset' })
    expect(await db.transaction(addOne)).toBe(2)
    expect(await kinds(cluster)).toEqual(['fence', 'marker'])
  })

  it('is resolved on another server when its own froze, and the fence wins when that one wakes up', async () => {
    const { db, cluster } = await commitLogHarness()
    cluster.script({ when: { sql: 'COMMIT', times: 1 }, do: 'hold', until: 'woken' })
    await db.transaction(async (tx) => {
      // Separate rows, so that only the commit log blocks the first attempt.
      await tx.query(`INSERT INTO t VALUES ('run ${tx.attempt}', 1)`)
      if (tx.attempt === 1) void cluster.log.until({ sql: 'COMMIT' }).then(() => cluster.node(1).pause())
    })
    cluster.node(1).resume()
    cluster.release('woken')
    await pause(200)
    expect(await rowsOf(cluster)).toEqual({ 'run 2': 1 })
    expect(await kinds(cluster)).toEqual(['fence', 'marker'])
  })

  it('keeps its outcome unknown when nobody can say before the deadline', async () => {
    const { db, cluster } = await commitLogHarness()
    cluster.script(
      { when: { sql: 'COMMIT' }, do: 'cut', how: 'reset' },
      { when: { sql: /^SELECT kind/ }, do: 'silence' },
    )
    const error = await db.transaction(addOne, { timeoutMs: 800 }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ outcome: 'unknown', sqlState: '08007', token: expect.any(String) })
  })
})

describe('a token of the caller', () => {
  it('is told to the callback, and is the one in the commit log', async () => {
    const { db, cluster } = await commitLogHarness()
    expect(await db.transaction(async (tx) => tx.token, { token: 'order-7' })).toBe('order-7')
    expect(await cluster.query('SELECT token FROM ha_ledger')).toEqual([{ token: 'order-7' }])
  })

  it('that was committed before is used: the work is done', async () => {
    const { db, cluster } = await commitLogHarness()
    await db.transaction(addOne, { token: 'order-7' })
    expect(await describeEnd(db.transaction(addOne, { token: 'order-7' }))).toBe('token-used done HY000')
    expect(await rowsOf(cluster)).toEqual({ sum: 1 })
  })

  it('that was fenced off is used: nothing was done', async () => {
    const { db, cluster } = await commitLogHarness()
    await db.resolve('order-7')
    expect(await describeEnd(db.transaction(addOne, { token: 'order-7' }))).toBe('token-used not-done HY000')
    expect(await rowsOf(cluster)).toEqual({})
  })

  it('commits once when two do the same work at the same time', async () => {
    const { db, cluster } = await commitLogHarness()
    const both = [db.transaction(addOne, { token: 'order-7' }), db.transaction(addOne, { token: 'order-7' })]
    expect((await Promise.all(both.map(describeEnd))).sort()).toEqual(['done', 'token-used done HY000'])
    expect(await rowsOf(cluster)).toEqual({ sum: 1 })
  })

  it('is not run again when its COMMIT was fenced off: the caller decides', async () => {
    const { db, cluster } = await commitLogHarness()
    cluster.script({ when: { sql: 'COMMIT', times: 1 }, do: 'cut', how: 'reset' })
    expect(await describeEnd(db.transaction(addOne, { token: 'order-7' }))).toBe('lost not-done 25S03')
    expect(await rowsOf(cluster)).toEqual({})
  })
})

describe('resolve', () => {
  it('says from another process what became of a transaction', async () => {
    const { db, cluster } = await commitLogHarness()
    await db.transaction(addOne, { token: 'order-7' })
    const other = clientOf(cluster, { commitLog: true }).db
    expect(await other.resolve('order-7')).toBe('committed')
    expect(await other.resolve('order-8')).toBe('rolled-back')
  })

  it('shuts out a transaction that is under way elsewhere', async () => {
    const { db, cluster } = await commitLogHarness()
    const other = clientOf(cluster, { hosts: cluster.node(2).address, commitLog: true }).db
    let fate: string | undefined
    const call = db.transaction(
      async (tx) => {
        const attempt = await addOne(tx)
        fate ??= await other.resolve('order-7')
        return attempt
      },
      { token: 'order-7', timeoutMs: 2_000 },
    )
    const end = await describeEnd(call)
    expect([fate, end]).toEqual(['rolled-back', 'token-used not-done HY000'])
    expect(await rowsOf(cluster)).toEqual({})
  })

  it('needs the option `commitLog`', async () => {
    const { db } = await galeraHarness()
    expect(await describeEnd(db.resolve('order-7'))).toContain('config-invalid')
  })
})

describe('a commit log that is not there', () => {
  it('is said to be missing, with the statement that makes it', async () => {
    const { db } = await galeraHarness({ commitLog: true })
    const error = await db.transaction(addOne).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'commit-log-missing',
      outcome: 'not-done',
      errno: 1146,
      message: expect.stringContaining('CREATE TABLE IF NOT EXISTS `ha_ledger`'),
    })
  })

  it.each(['ready()', 'the first transaction'])('is made by %s, when it may be made', async (name) => {
    const { db, cluster } = await galeraHarness({ commitLog: { create: true, table: 'test.marks' } })
    await (name === 'ready()' ? db.ready() : db.transaction(addOne).catch(() => undefined))
    expect(cluster.log.count({ sql: /^CREATE TABLE IF NOT EXISTS `test`.`marks`/ })).toBe(1)
  })

  it('is made once, and not at all when it is there', async () => {
    const [missing, there] = [
      await galeraHarness({ commitLog: { create: true } }),
      await commitLogHarness({ commitLog: { create: true } }),
    ]
    for (const { db } of [missing, there]) {
      for (let i = 0; i < 3; i += 1) await db.transaction(addOne).catch(() => undefined)
    }
    const made = [missing, there].map(({ cluster }) => cluster.log.count({ sql: /^CREATE TABLE/ }))
    expect(made).toEqual([1, 0])
  })
})

describe('a table that the version before this one has written', () => {
  const create =
    'CREATE TABLE IF NOT EXISTS `ha_ledger` (token VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL ' +
    "PRIMARY KEY, kind ENUM('marker', 'fence') NOT NULL, at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3), " +
    'KEY (at)) ENGINE=InnoDB'
  const rows = [
    "INSERT INTO `ha_ledger` (token, kind) VALUES ('order-1', 'marker')",
    "INSERT INTO `ha_ledger` (token, kind) VALUES ('order-2', 'fence')",
  ]

  it.each<[string, Partial<MariadbOptions>]>([
    ['commitLog', { commitLog: { create: true } }],
    ['ledger, the former name', { ledger: { create: true } }],
  ])('is used as it is, by the option %s', async (_, options) => {
    const { db, cluster } = await galeraHarness(options)
    for (const sql of [create, ...rows]) await cluster.query(sql)
    await db.ready()
    expect(await db.resolve('order-1')).toBe('committed')
    expect(await db.resolve('order-2')).toBe('rolled-back')
    expect(await describeEnd(db.transaction(addOne, { token: 'order-1' }))).toBe('token-used done HY000')
    await db.transaction(addOne, { token: 'order-3' })
    expect(await kinds(cluster)).toEqual(['fence', 'marker', 'marker'])
  })
})
