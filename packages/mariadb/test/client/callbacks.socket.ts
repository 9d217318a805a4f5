import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Mariadb, Session, Transaction } from '../../src/index.ts'
import { galeraHarness, rowsOf } from './harness.ts'

type Callback = Transaction | Session
type Run = (db: Mariadb, fn: (on: Callback) => Promise<unknown>) => Promise<unknown>
const calls: readonly (readonly [string, Run])[] = [
  ['transaction', (db, fn) => db.transaction(fn)],
  ['readOnly', (db, fn) => db.readOnly(fn, { route: 'primary' })],
  ['session', (db, fn) => db.session(fn)],
]
const held = 'SELECT k FROM t'
const many = 'SELECT v FROM t'
const kills = { sql: /PROCESSLIST/ }

async function harness(count = 20_000) {
  const made = await galeraHarness()
  const rows = Array.from({ length: count }, (_, v) => ({ v }))
  made.cluster.script(
    { when: { sql: held }, do: 'hold', until: 'never' },
    { when: { sql: many }, do: 'answer', with: { rows } },
  )
  await made.db.ready()
  return made
}

describe.each(calls)('inside %s', (_, run) => {
  it('a statement that is out of time is ended at the server', async () => {
    const { db, cluster } = await harness()
    let runs = 0
    const call = run(db, (on) => {
      runs += 1
      return on.query(held, [], { timeoutMs: 200 })
    })
    await expect(call).rejects.toMatchObject({
      code: 'timed-out',
      outcome: 'not-done',
      cause: { message: expect.stringMatching(/200 ms/) },
    })
    await cluster.log.until(kills)
    expect(runs).toBe(1)
    expect([...(await db.query('SELECT 1 AS one'))]).toEqual([{ one: 1 }])
  })

  it('a statement whose signal fires is ended at the server', async () => {
    const { db, cluster } = await harness()
    const call = run(db, (on) => on.query(held, [], { signal: AbortSignal.timeout(200) }))
    await expect(call).rejects.toMatchObject({ code: 'aborted', outcome: 'not-done' })
    await cluster.log.until(kills)
  })

  it('no statement is sent after one that was ended at the server', async () => {
    const { db, cluster } = await harness()
    const call = run(db, async (on) => {
      await on.query(held, [], { timeoutMs: 200 }).catch(() => undefined)
      await on.query('SELECT 7 AS n')
    })
    await expect(call).rejects.toMatchObject({ outcome: 'not-done' })
    expect(cluster.log.count({ sql: 'SELECT 7 AS n' })).toBe(0)
  })

  it('a statement whose time is up while it waits is not sent, and the rest goes on', async () => {
    const { db, cluster } = await harness()
    const slow = 'SELECT 2 AS slow'
    cluster.script({ when: { sql: slow }, do: 'delay', delayMs: 300 })
    const ended = await run(db, async (on) => {
      const before = on.query(slow)
      await expect(on.query('SELECT 3', [], { timeoutMs: 100 })).rejects.toMatchObject({ code: 'timed-out' })
      await before
      return on.query('SELECT 4 AS four')
    })
    expect([...(ended as readonly unknown[])]).toEqual([{ four: 4 }])
    expect(cluster.log.count({ sql: 'SELECT 3' })).toBe(0)
  })

  it('rows are streamed, also as lists, and a stream that is left lets the next statement run', async () => {
    const { db } = await harness()
    await run(db, async (on) => {
      let taken = 0
      for await (const [v] of on.stream<[number]>(many, [], { rowsAsArray: true })) {
        expect(v).toBe(taken)
        taken += 1
        if (taken === 5) break
      }
      expect([...(await on.query('SELECT 1 AS one'))]).toEqual([{ one: 1 }])
      for await (const _row of on.stream(many)) taken += 1
      expect(taken).toBe(20_005)
    })
  })

  it('a statement does not wait for ever for a stream whose rows are not taken', async () => {
    const { db, cluster } = await harness()
    await run(db, async (on) => {
      const rows = on.stream(many)
      await rows.next()
      await expect(on.query('SELECT 8')).rejects.toMatchObject({ code: 'rejected', outcome: 'not-done' })
      await rows.return()
      await on.query('SELECT 9')
    })
    expect(cluster.log.count({ sql: 'SELECT 8' })).toBe(0)
  })

  it('a stream that is left open holds up neither the end nor the error of the callback', async () => {
    const { db } = await harness()
    await run(db, async (on) => void (await on.stream(many).next()))
    const own = new RangeError('mine')
    const call = run(db, async (on) => {
      await on.stream(many).next()
      throw own
    })
    await expect(call).rejects.toBe(own)
    expect([...(await db.query('SELECT 1 AS one'))]).toEqual([{ one: 1 }])
  })

  it('a stream whose server dies ends with an error', async () => {
    const { db, cluster } = await harness()
    let streams = 0
    const call = run(db, async (on) => {
      streams += 1
      const rows = on.stream(many)
      await rows.next()
      if (streams === 1) await cluster.node(1).kill()
      for await (const _row of rows);
    }).catch((error: unknown) => error)
    const ended = await call
    if (streams === 1) expect(ended).toMatchObject({ code: 'lost', outcome: 'not-done' })
    else expect(ended).toBeUndefined()
  })

  it('wrong options are refused, and those of the whole cannot be changed', async () => {
    const { db } = await harness()
    await run(db, async (on) => {
      for (const options of [
        { timeoutMs: 0 },
        { signal: 5 },
        { rowsAsArray: 1 },
        { route: 'replica' },
        { tiemoutMs: 5 },
      ])
        await expect(on.query('SELECT 1', [], options as never)).rejects.toMatchObject({
          code: 'config-invalid',
        })
      await on.query('SELECT 1', [], { route: 'primary', repeatable: true })
    })
  })
})

describe('a transaction', () => {
  it('is rolled back after a statement that was out of time, whatever its callback does', async () => {
    const { db, cluster } = await harness()
    const call = db.transaction(async (tx) => {
      await tx.query("INSERT INTO t VALUES ('a', 1)")
      await tx.query(held, [], { timeoutMs: 200 }).catch(() => undefined)
    })
    await expect(call).rejects.toMatchObject({ code: 'timed-out', outcome: 'not-done' })
    await sleep(100)
    expect(await rowsOf(cluster)).toEqual({})
  })

  it('that is lost in a procedure is unknown and not begun again: the procedure may commit', async () => {
    const { db, cluster } = await harness()
    cluster.script({ when: { sql: 'CALL p()' }, do: 'hold', until: 'never' })
    let runs = 0
    const call = db.transaction(async (tx) => {
      runs += 1
      const calling = tx.query('CALL p()')
      await cluster.log.until({ sql: 'CALL p()' })
      await cluster.node(1).kill()
      await calling
    })
    await expect(call).rejects.toMatchObject({ outcome: 'unknown' })
    expect(runs).toBe(1)
  })
})

describe('a transaction of a session', () => {
  it('takes no statement after a deadlock, until it is begun anew', async () => {
    const { db, cluster } = await galeraHarness()
    const bad = "INSERT INTO t VALUES ('bad', 1)"
    cluster.script({ when: { sql: bad }, do: 'refuse', errno: 1213, sqlState: '40001' })
    await db.session(async (session) => {
      await session.query('BEGIN')
      const results = await Promise.allSettled([
        session.query("INSERT INTO t VALUES ('a', 1)"),
        session.query(bad),
        session.query("INSERT INTO t VALUES ('b', 1)"),
        session.query('SAVEPOINT s'),
        session.query('COMMIT'),
      ])
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', ...Array(4).fill('rejected')])
      expect(results[2]).toMatchObject({
        reason: { code: 'transaction-over', outcome: 'not-done', message: expect.stringMatching(/BEGIN/) },
      })
      await session.query('ROLLBACK')
      await session.query("INSERT INTO t VALUES ('c', 1)")
    })
    expect(await rowsOf(cluster)).toEqual({ c: 1 })
  })

  it('takes no statement after an implicit commit but COMMIT, ROLLBACK or BEGIN', async () => {
    const { db, cluster } = await galeraHarness()
    await db.session(async (session) => {
      await session.query('BEGIN')
      await session.query("INSERT INTO t VALUES ('a', 1)")
      await session.query('CREATE TABLE u (k INT PRIMARY KEY)')
      await expect(session.query("INSERT INTO t VALUES ('b', 1)")).rejects.toMatchObject({
        code: 'transaction-over',
        message: expect.stringMatching(/CREATE ended the transaction.*committed/),
      })
      await session.query('COMMIT')
      await session.query('SELECT 1')
      await session.query('BEGIN')
      await session.query("INSERT INTO t VALUES ('c', 1)")
      await session.query('COMMIT')
    })
    expect(await rowsOf(cluster)).toEqual({ a: 1, c: 1 })
  })

  it('goes on after an error that ends no transaction', async () => {
    const { db, cluster } = await galeraHarness()
    await db.session(async (session) => {
      await session.query('BEGIN')
      await session.query("INSERT INTO t VALUES ('a', 1)")
      await expect(session.query("INSERT INTO t VALUES ('a', 1)")).rejects.toThrow()
      await session.query("INSERT INTO t VALUES ('b', 1)")
      await session.query('COMMIT')
    })
    expect(await rowsOf(cluster)).toEqual({ a: 1, b: 1 })
  })
})
