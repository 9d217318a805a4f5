import { pause } from '@ha/core/testing'
import { describe, expect, it } from 'vitest'
import type { Transaction } from '../../src/index.ts'
import { describeEnd } from './describe-end.ts'
import { galeraHarness, rowsOf } from './harness.ts'

function insert(tx: Transaction, key: string): Promise<unknown> {
  return tx.query(`INSERT INTO t VALUES ('${key}', 1)`)
}

async function insertThenThrow(tx: Transaction, key: string): Promise<never> {
  await insert(tx, key)
  await pause(30)
  throw new Error(`${key} is undone`)
}

function statesOf(results: readonly PromiseSettledResult<unknown>[]): string {
  return results.map(({ status }) => status).join(' ')
}

describe('savepoints that are started together', () => {
  it('keep the rows of those that succeed', async () => {
    const { db, cluster } = await galeraHarness()
    await db.transaction((tx) =>
      Promise.all(
        ['a', 'b', 'c'].map((key, i) =>
          tx.savepoint(async () => {
            await insert(tx, key)
            await pause(20 - 10 * i)
          }),
        ),
      ),
    )
    expect(await rowsOf(cluster)).toEqual({ a: 1, b: 1, c: 1 })
  })

  it.each([0, 1, 2])('undo the one that fails, at place %i of three, and nothing else', async (place) => {
    const { db, cluster } = await galeraHarness()
    const results = await db.transaction((tx) =>
      Promise.allSettled(
        ['a', 'b', 'c'].map((key, i) =>
          tx.savepoint(async () => void (await (i === place ? insertThenThrow(tx, key) : insert(tx, key)))),
        ),
      ),
    )
    const kept = ['a', 'b', 'c'].filter((_, i) => i !== place)
    expect(results.map(({ status }) => status === 'fulfilled')).toEqual([0, 1, 2].map((i) => i !== place))
    expect(Object.keys(await rowsOf(cluster))).toEqual(kept)
  })

  it('leave alone what the transaction does beside them', async () => {
    const { db, cluster } = await galeraHarness()
    const results = await db.transaction((tx) =>
      Promise.allSettled([
        insert(tx, 'before'),
        tx.savepoint(() => insertThenThrow(tx, 'bad')),
        insert(tx, 'beside'),
        tx.execute("INSERT INTO t VALUES ('prepared', 1)"),
        tx.savepoint((inner) => insert(inner, 'good')),
        insert(tx, 'behind'),
      ]),
    )
    expect(statesOf(results)).toBe('fulfilled rejected fulfilled fulfilled fulfilled fulfilled')
    expect(Object.keys(await rowsOf(cluster))).toEqual(['before', 'behind', 'beside', 'good', 'prepared'])
  })

  it('end with their transaction when its callback throws', async () => {
    const { db, cluster } = await galeraHarness()
    let second: Promise<string> | undefined
    const call = db.transaction((tx) => {
      const first = tx.savepoint(() => Promise.reject(new Error('the first fails')))
      second = describeEnd(
        tx.savepoint(async () => {
          await pause(30)
          await insert(tx, 'late')
        }),
      )
      return Promise.all([first, second])
    })
    await expect(call).rejects.toThrow('the first fails')
    expect(await second).toBe('transaction-over not-done 25000')
    expect(await rowsOf(cluster)).toEqual({})
  })
})

describe('savepoints inside savepoints', () => {
  it('undo their own level and those within it', async () => {
    const { db, cluster } = await galeraHarness()
    await db.transaction(async (tx) => {
      await tx.savepoint(async () => {
        await insert(tx, 'one')
        const two = tx.savepoint(async () => {
          await insert(tx, 'two')
          await tx.savepoint(() => insert(tx, 'three'))
          throw new Error('the second level fails')
        })
        await Promise.allSettled([two, insert(tx, 'one beside two')])
      })
    })
    expect(Object.keys(await rowsOf(cluster))).toEqual(['one', 'one beside two'])
  })

  it('run one after another within their level', async () => {
    const { db, cluster } = await galeraHarness()
    await db.transaction((tx) =>
      tx.savepoint(() =>
        Promise.allSettled([
          tx.savepoint(() => insertThenThrow(tx, 'a')),
          tx.savepoint(() => insert(tx, 'b')),
          tx.savepoint(() => insertThenThrow(tx, 'c')),
        ]),
      ),
    )
    expect(Object.keys(await rowsOf(cluster))).toEqual(['b'])
  })

  it('belong to their own transaction where transactions of two clients enclose each other', async () => {
    const one = await galeraHarness()
    const two = await galeraHarness()
    await one.db.transaction((outer) =>
      outer.savepoint(() =>
        two.db.transaction((inner) =>
          inner.savepoint(async () => {
            await insert(outer, 'outer')
            await insert(inner, 'inner')
          }),
        ),
      ),
    )
    expect([await rowsOf(one.cluster), await rowsOf(two.cluster)]).toEqual([{ outer: 1 }, { inner: 1 }])
  })
})

describe('a savepoint that the callback does not await', () => {
  it('is over before COMMIT', async () => {
    const { db, cluster } = await galeraHarness()
    let inner: Promise<unknown> | undefined
    await db.transaction(async (tx) => {
      inner = tx.savepoint(async () => {
        await insert(tx, 'a')
        await pause(20)
        await insert(tx, 'b')
      })
    })
    await inner
    expect(await rowsOf(cluster)).toEqual({ a: 1, b: 1 })
  })

  it('takes no statement after its end', async () => {
    const { db, cluster } = await galeraHarness()
    let late: Promise<string> | undefined
    await db.transaction(async (tx) => {
      await tx.savepoint(async () => {
        late = pause(20).then(() => describeEnd(insert(tx, 'late')))
      })
      await late
    })
    expect(await late).toBe('transaction-over not-done 25000')
    expect(await rowsOf(cluster)).toEqual({})
  })
})

describe('a savepoint that cannot be rolled back', () => {
  it('takes the transaction with it', async () => {
    const { db, cluster } = await galeraHarness()
    cluster.script({ when: { sql: /^ROLLBACK TO/ }, do: 'refuse', errno: 1305, sqlState: '42000' })
    const call = db.transaction(async (tx) => {
      await tx.savepoint(() => insertThenThrow(tx, 'a')).catch(() => undefined)
    })
    expect(await describeEnd(call)).toBe('rejected not-done 42000')
    expect(await rowsOf(cluster)).toEqual({})
  })
})
