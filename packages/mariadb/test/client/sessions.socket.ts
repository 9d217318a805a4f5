import { until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import type { Session } from '../../src/index.ts'
import { describeEnd } from './describe-end.ts'
import { galeraHarness, replicationHarness } from './harness.ts'

const profile = 'SELECT @@autocommit, @@time_zone, @@tx_isolation, @@sql_mode, DATABASE() AS db, @x AS x'

/** The session state that the next leases of all connections find. */
async function found(db: { query: (sql: string) => Promise<unknown> }): Promise<unknown> {
  return db.query(profile)
}

const worst: readonly (readonly [string, string])[] = [
  ['time zone', "SET time_zone = '+05:00'"],
  ['isolation', 'SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE'],
  ['autocommit', 'SET autocommit = 0'],
  ['sql_mode', "SET sql_mode = ''"],
  ['user variable', 'SET @x = 7'],
  ['schema', 'USE other'],
]

describe('what a session is lent with', () => {
  it.each(worst)('is the same for the next borrower, whatever was done to its %s', async (_, sql) => {
    const options = {
      pool: { maximumSize: 1 },
      session: { isolation: 'read-committed', timeZone: '+01:00' },
    } as const
    const { db } = await galeraHarness(options, { schemas: ['test', 'other'] })
    const before = await found(db)
    await db.session((session) => session.query(sql))
    expect(await found(db)).toEqual(before)
  })

  it('is reset when a session of somebody was on it', async () => {
    const { db, cluster } = await galeraHarness({ pool: { maximumSize: 1 } })
    await db.session(async (session) => {
      await session.query('CREATE TEMPORARY TABLE scratch (k INT PRIMARY KEY)').catch(() => undefined)
      await session.query('START TRANSACTION')
      await session.query("INSERT INTO t VALUES ('a', 1)")
    })
    expect(await db.query('SELECT COUNT(*) AS n FROM t')).toEqual([{ n: 0 }])
    expect(cluster.log.count({ command: 'reset-connection' })).toBe(1)
  })
})

describe('a session', () => {
  it('keeps what was set, for as long as it is lent', async () => {
    const { db } = await galeraHarness()
    const rows = await db.session(async (session) => {
      await session.query('SET @x = 7')
      return session.query('SELECT @x AS x')
    })
    expect(rows).toEqual([{ x: 7 }])
  })

  it('takes no statement once it is over', async () => {
    const { db, cluster } = await galeraHarness()
    let kept: Session | undefined
    await db.session(async (session) => {
      kept = session
    })
    expect(await describeEnd(kept?.query("INSERT INTO t VALUES ('a', 1)") ?? Promise.resolve())).toBe(
      'transaction-over not-done 25000',
    )
    expect(cluster.log.count({ sql: /INSERT/ })).toBe(0)
  })

  it.each([
    ['reads', ['SELECT 1'], 'lost not-done 08S01'],
    ['settings', ['SET @x = 1', "SET SESSION sql_mode = ''"], 'lost not-done 08S01'],
    ['a write in an open transaction', ['BEGIN', "INSERT INTO t VALUES ('a', 1)"], 'lost not-done 08S01'],
    ['a write', ["INSERT INTO t VALUES ('a', 1)"], 'outcome-unknown unknown 08007'],
    ['a transaction', ['BEGIN', "INSERT INTO t VALUES ('a', 1)", 'COMMIT'], 'outcome-unknown unknown 08007'],
    ['a global setting', ['SET GLOBAL max_connections = 99'], 'outcome-unknown unknown 08007'],
  ])('that is lost after %s says what is known, and its callback is not run again', async (_, sent, end) => {
    const { db, cluster } = await galeraHarness()
    let runs = 0
    const call = db.session(async (session) => {
      runs += 1
      for (const sql of sent) await session.query(sql)
      await cluster.node(1).kill()
      await session.query('SELECT 2')
    })
    expect(await describeEnd(call)).toBe(end)
    expect(runs).toBe(1)
  })

  it('that is lost while it reads is not done', async () => {
    const { db, cluster } = await galeraHarness()
    let runs = 0
    const call = db.session(async (session) => {
      runs += 1
      await session.query('SELECT 1')
      await cluster.node(1).kill()
      await session.query('SELECT 2')
    })
    expect(await describeEnd(call)).toBe('lost not-done 08S01')
    expect(runs).toBe(1)
  })

  it('gives back the error of its callback as it is', async () => {
    const { db } = await galeraHarness()
    const own = new RangeError('mine')
    await expect(db.session(() => Promise.reject(own))).rejects.toBe(own)
  })

  it('may be asked for on a replica', async () => {
    const { db, cluster } = await replicationHarness()
    await db.ready()
    await until('the replicas are known', () => db.health().hosts.every(({ health }) => health === 'up'))
    const endpoint = await db.session(async (session) => session.endpoint, { route: 'replica' })
    expect(endpoint).not.toBe(cluster.node(1).address)
  })
})

describe('a session with wsrep_sync_wait', () => {
  it.each([{ variables: { wsrep_sync_wait: 7 } }, { initSql: ['SET wsrep_sync_wait = 7'] }])(
    'gets a new connection instead of a reset one, which would not obey it: %j',
    async (session) => {
      const { db, cluster } = await galeraHarness({ session, pool: { maximumSize: 1, minimumIdle: 1 } })
      await db.session((own) => own.query('SET @a = 1'))
      const [row] = await db.query('SELECT @@wsrep_sync_wait AS wait')
      expect(Number(row?.['wait'])).toBe(7)
      expect(cluster.log.count({ command: 'reset-connection' })).toBe(0)
    },
  )
})
