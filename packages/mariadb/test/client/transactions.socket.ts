import { pause, until } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import type { Transaction } from '../../src/index.ts'
import { describeEnd } from './describe-end.ts'
import { countOf, galeraHarness, replicationHarness, rowsOf } from './harness.ts'

/** Writes two rows; the rules apply to the second statement. */
async function writeTwo(tx: Transaction): Promise<number> {
  await tx.query("INSERT INTO t VALUES ('a', 1)")
  await tx.query("INSERT INTO t VALUES ('b', 2)")
  return tx.attempt
}

const second = "INSERT INTO t VALUES ('b', 2)"
const both = { a: 1, b: 2 }

describe('a transaction', () => {
  it('commits what its callback did, and returns what it returned', async () => {
    const { db, cluster } = await galeraHarness()
    expect(await db.transaction(writeTwo)).toBe(1)
    expect(await rowsOf(cluster)).toEqual(both)
  })

  it.each([1213, 1020, 1205, 1047, 1053, 1290, 1927])(
    'is run again as a whole on %i, and nothing of the first run stays',
    async (errno) => {
      const { db, cluster } = await galeraHarness()
      cluster.script({ when: { sql: second, times: 1 }, do: 'refuse', errno })
      expect(await db.transaction(writeTwo)).toBe(2)
      expect(await rowsOf(cluster)).toEqual(both)
    },
  )

  it('sends no statement behind one that a conflict ended: the server would commit it by itself', async () => {
    const { db, cluster } = await galeraHarness()
    const first = "INSERT INTO t VALUES ('a', 1)"
    cluster.script({ when: { sql: first, times: 1 }, do: 'refuse', errno: 1213 })
    await db.transaction((tx) => Promise.all([tx.query(first), tx.query(second)]))
    expect(cluster.log.count({ sql: second })).toBe(1)
    expect(await rowsOf(cluster)).toEqual(both)
  })

  it('is not run again when a person kills one of its statements', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: second, times: 1 }, do: 'refuse', errno: 1317 })
    await expect(db.transaction(writeTwo)).rejects.toMatchObject({ errno: 1317, outcome: 'not-done' })
    expect(cluster.log.count({ sql: second })).toBe(1)
    expect(await rowsOf(cluster)).toEqual({})
  })

  it.each([1213, 1020])('is run again when COMMIT is answered with %i', async (errno) => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: 'COMMIT', times: 1 }, do: 'refuse', errno })
    expect(await db.transaction(writeTwo)).toBe(2)
    expect(await rowsOf(cluster)).toEqual(both)
  })

  it.each(['START TRANSACTION', "INSERT INTO t VALUES ('a', 1)", second])(
    'is run again when its connection is lost at %s',
    async (sql) => {
      const { db, cluster } = await galeraHarness()
      cluster.script({ when: { sql, times: 1 }, do: 'cut', how: 'reset', at: 'unanswered' })
      await db.transaction(writeTwo)
      expect(await rowsOf(cluster)).toEqual(both)
    },
  )

  it('is run again on another server when its own dies before COMMIT', async () => {
    const { db, cluster } = await galeraHarness()
    const endpoints: string[] = []
    await db.transaction(async (tx) => {
      endpoints.push(tx.endpoint)
      await writeTwo(tx)
      if (tx.attempt === 1) await cluster.node(1).kill()
      await tx.query('SELECT 1')
    })
    expect(endpoints).toEqual([cluster.node(1).address, cluster.node(2).address])
    expect(await rowsOf(cluster)).toEqual(both)
  })

  it('is run as often as `retry.attempts` allows and is a conflict then', async () => {
    const { db, cluster } = await galeraHarness({ retry: { attempts: 3, baseMs: 1, maxMs: 5 } })
    cluster.script({ when: { sql: second }, do: 'refuse', errno: 1213, sqlState: '40001' })
    let runs = 0
    const error = await db
      .transaction((tx) => {
        runs += 1
        return writeTwo(tx)
      })
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'conflict', outcome: 'not-done', sqlState: '40001', errno: 1213 })
    expect(runs).toBe(4)
    expect(await rowsOf(cluster)).toEqual({})
  })

  it('that loses its server again and again gave up, and was no conflict', async () => {
    const { db, cluster } = await galeraHarness({ retry: { attempts: 2, baseMs: 1, maxMs: 5 } })
    cluster.script({ when: { sql: second }, do: 'cut', how: 'reset' })
    expect(await describeEnd(db.transaction(writeTwo))).toBe('retry-budget-exhausted not-done 25S03')
  })

  it('runs its callback never twice at a time', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: second, times: 2 }, do: 'cut', how: 'reset' })
    let running = 0
    let most = 0
    await db.transaction(async (tx) => {
      running += 1
      most = Math.max(most, running)
      try {
        await writeTwo(tx)
      } finally {
        // Other work of a callback continues for a while after its transaction is lost.
        await pause(60)
        running -= 1
      }
    })
    expect(most).toBe(1)
  })

  it('does not wait for a callback that ignores the loss longer than its deadline', async () => {
    const { db, cluster } = await galeraHarness()
    const call = db.transaction(
      async (tx) => {
        await tx.query('SELECT 1')
        await cluster.node(1).kill()
        await new Promise(() => undefined)
      },
      { timeoutMs: 300 },
    )
    expect(await describeEnd(call)).toBe('timed-out not-done 70100')
  })
})

describe('what a callback does', () => {
  it('is undone when it throws, and its own error is what the caller gets', async () => {
    const { db, cluster } = await galeraHarness()
    const own = new RangeError('no stock')
    const call = db.transaction(async (tx) => {
      await writeTwo(tx)
      throw own
    })
    await expect(call).rejects.toBe(own)
    expect(await rowsOf(cluster)).toEqual({})
    expect(cluster.log.count({ sql: 'COMMIT' })).toBe(0)
  })

  it('goes on after an error that ends no transaction', async () => {
    const { db, cluster } = await galeraHarness()
    await cluster.query("INSERT INTO t VALUES ('b', 7)")
    await db.transaction((tx) => writeTwo(tx).catch(() => undefined))
    expect(await rowsOf(cluster)).toEqual({ a: 1, b: 7 })
  })

  it('is run again, and never committed, when it swallows a conflict', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: second, times: 1 }, do: 'refuse', errno: 1213 })
    await db.transaction((tx) => writeTwo(tx).catch(() => undefined))
    expect(await rowsOf(cluster)).toEqual(both)
    expect(cluster.log.count({ sql: 'COMMIT' })).toBe(1)
  })

  it('is run again, and never committed, when it throws something else over a conflict', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: second, times: 1 }, do: 'refuse', errno: 1213 })
    await db.transaction((tx) =>
      writeTwo(tx).catch(() => {
        throw new Error('an echo')
      }),
    )
    expect(await rowsOf(cluster)).toEqual(both)
  })

  it('is waited for to the last statement, also one that the callback does not await', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script(
      { when: { sql: second, times: 1 }, do: 'delay', delayMs: 50 },
      { when: { sql: second, times: 1 }, do: 'refuse', errno: 1213 },
    )
    await db.transaction(async (tx) => {
      await tx.query("INSERT INTO t VALUES ('a', 1)")
      tx.query(second).catch(() => undefined)
    })
    expect(await rowsOf(cluster)).toEqual(both)
    expect(cluster.log.count({ sql: 'COMMIT' })).toBe(1)
  })

  it('is refused once the transaction is over', async () => {
    const { db, cluster } = await galeraHarness()
    let kept: Transaction | undefined
    await db.transaction(async (tx) => {
      kept = tx
    })
    expect(await describeEnd(kept?.query(second) ?? Promise.resolve())).toBe(
      'transaction-over not-done 25000',
    )
    expect(kept?.signal.aborted).toBe(true)
    expect(cluster.log.count({ sql: second })).toBe(0)
  })

  it('fails at once, statement by statement, when the transaction has failed already', async () => {
    const { db, cluster } = await galeraHarness({ retry: { attempts: 0 } })
    cluster.script({ when: { sql: second, times: 1 }, do: 'refuse', errno: 1213 })
    const seen: string[] = []
    await describeEnd(
      db.transaction(async (tx) => {
        seen.push(
          await describeEnd(tx.query(second)),
          await describeEnd(tx.query("INSERT INTO t VALUES ('c', 3)")),
        )
      }),
    )
    expect(seen).toEqual(['rejected not-done HY000', 'rejected not-done HY000'])
    expect(await rowsOf(cluster)).toEqual({})
  })

  it('is not done when the deadline ends it, and the connection is fit for the next', async () => {
    const { db, cluster } = await galeraHarness({ pool: { maximumSize: 1 } })
    const call = db.transaction(
      async (tx) => {
        await writeTwo(tx)
        await new Promise((resolve) => tx.signal.addEventListener('abort', resolve))
      },
      { timeoutMs: 200 },
    )
    expect(await describeEnd(call)).toBe('timed-out not-done 70100')
    await db.query("INSERT INTO t VALUES ('c', 3)")
    expect(await rowsOf(cluster)).toEqual({ c: 3 })
  })

  it('is not done when the caller’s signal ends it', async () => {
    const { db, cluster } = await galeraHarness()
    const caller = new AbortController()
    const call = db.transaction(
      async (tx) => {
        await writeTwo(tx)
        caller.abort()
        await tx.query('SELECT 1')
      },
      { signal: caller.signal },
    )
    expect(await describeEnd(call)).toBe('aborted not-done 70100')
    expect(await rowsOf(cluster)).toEqual({})
  })
})

describe('a savepoint', () => {
  it('is undone alone when what it holds throws', async () => {
    const { db, cluster } = await galeraHarness()
    await db.transaction(async (tx) => {
      await tx.query("INSERT INTO t VALUES ('a', 1)")
      const inner = tx.savepoint(async () => {
        await tx.query(second)
        throw new Error('not this part')
      })
      await expect(inner).rejects.toThrow('not this part')
      await tx.savepoint(() => tx.query("INSERT INTO t VALUES ('c', 3)"))
    })
    expect(await rowsOf(cluster)).toEqual({ a: 1, c: 3 })
  })

  it('may stand inside another', async () => {
    const { db, cluster } = await galeraHarness()
    await db.transaction((tx) =>
      tx.savepoint(async () => {
        await tx.query("INSERT INTO t VALUES ('a', 1)")
        await tx.savepoint(() => Promise.reject(new Error('inner'))).catch(() => undefined)
        await tx.query(second)
      }),
    )
    expect(await rowsOf(cluster)).toEqual(both)
  })

  it('does not keep a conflict from running the whole again', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: second, times: 1 }, do: 'refuse', errno: 1213 })
    await db.transaction(async (tx) => {
      await tx.query("INSERT INTO t VALUES ('a', 1)")
      await tx.savepoint(() => tx.query(second)).catch(() => undefined)
    })
    expect(await rowsOf(cluster)).toEqual(both)
  })
})

describe('a transaction that only reads', () => {
  it('runs on a replica, and may not write', async () => {
    const { db, cluster } = await replicationHarness()
    await db.ready()
    const endpoint = await db.readOnly(async (tx) => tx.endpoint)
    expect(endpoint).not.toBe(cluster.node(1).address)
    expect(await describeEnd(db.readOnly((tx) => tx.query(second), { timeoutMs: 300 }))).toContain('not-done')
    expect(await rowsOf(cluster)).toEqual({})
  })

  it('is run again when its COMMIT is lost, for nothing can be done twice', async () => {
    const { db, cluster } = await replicationHarness()
    cluster.script({ when: { sql: 'COMMIT', times: 1 }, do: 'cut', how: 'reset' })
    expect(await db.readOnly(async (tx) => tx.attempt)).toBe(2)
  })

  it('asks for the isolation that it is told, for itself alone', async () => {
    const { db, cluster } = await galeraHarness()
    await db.transaction(writeTwo, { isolation: 'serializable' })
    expect(cluster.log.count({ sql: 'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE' })).toBe(1)
  })
})

describe('a second connection inside a callback', () => {
  it('is told once, with where it was asked for', async () => {
    const { db, events } = await galeraHarness()
    await db.transaction(async () => {
      await db.query('SELECT 1')
      await db.query('SELECT 2')
    })
    expect(countOf(events, 'nested')).toBe(1)
  })

  it('is refused at once when everybody who has one waits for one more', async () => {
    const { db } = await galeraHarness({ pool: { maximumSize: 2 } })
    let inside = 0
    const nested = (): Promise<string> =>
      db.transaction(async () => {
        inside += 1
        await until('both are inside', () => inside === 2)
        return describeEnd(db.query('SELECT 1'))
      })
    expect((await Promise.all([nested(), nested()])).sort()).toEqual(['done', 'exhausted not-done 08001'])
  })
})
