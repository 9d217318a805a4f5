import { describe, expect, it } from 'vitest'
import type { CallOptions, PositionalRow, Result, Row } from '../../src/index.ts'
import { galeraHarness } from './harness.ts'

const sql = 'SELECT id, big, name FROM a JOIN b'
const answer = { columns: ['id', 'big', 'name'], rows: [{ id: 1, big: 2n ** 60n, name: 'x' }] }
const join = 'SELECT a.v, b.v FROM t a, t b'
const positional = { rowsAsArray: true } as const

async function harness() {
  const made = await galeraHarness()
  made.cluster.script(
    { when: { sql, command: 'query' }, do: 'answer', with: answer },
    { when: { sql: join }, do: 'answer', with: { columns: ['v', 'v'], rows: [{ v: 1 }, { v: 2 }] } },
  )
  return made
}

describe('rows as lists', () => {
  it('come in the order of the columns', async () => {
    const { db } = await harness()
    const rows = await db.query(sql, [], positional)
    expect([...rows]).toEqual([[1, 2n ** 60n, 'x']])
    expect(rows.meta.map((column) => column.name())).toEqual(['id', 'big', 'name'])
    expect(rows.columns.map(({ name }) => name)).toEqual(['id', 'big', 'name'])
    expect(JSON.stringify(await db.query('SELECT 1 AS one', [], positional))).toBe('[[1]]')
  })

  it('keep columns of one name', async () => {
    const { db } = await harness()
    const rows = await db.query<[number, number]>(join, [], positional)
    expect([...rows]).toEqual([
      [1, 1],
      [2, 2],
    ])
    expect(rows.meta.map((column) => column.name())).toEqual(['v', 'v'])
  })

  it('come from stream, with the columns from the first row on', async () => {
    const { db } = await harness()
    const rows = db.stream<[number, number]>(join, [], positional)
    expect(rows.meta).toEqual([])
    const taken: (readonly [number, number, string])[] = []
    for await (const [first, second] of rows) taken.push([first, second, rows.columns[1]?.name ?? ''])
    expect(taken).toEqual([
      [1, 1, 'v'],
      [2, 2, 'v'],
    ])
  })

  it('are objects again for the next call of the same statement', async () => {
    const { db } = await harness()
    await db.execute('SELECT k, v FROM t', [], positional)
    await db.query("INSERT INTO t VALUES ('a', 1)")
    expect([...(await db.execute('SELECT k, v FROM t', [], positional))]).toEqual([['a', 1]])
    expect([...(await db.execute('SELECT k, v FROM t'))]).toEqual([{ k: 'a', v: 1 }])
  })

  it('of a write are none, and its effects are there', async () => {
    const { db } = await harness()
    const written = await db.query("INSERT INTO t VALUES ('a', 1)", [], positional)
    expect(written).toMatchObject({ length: 0, affectedRows: 1 })
    expect(written.meta).toEqual([])
  })

  it.each([1, 'true', null, {}])('are refused for the value %j, before anything is sent', async (value) => {
    const { db, cluster } = await harness()
    const options = { rowsAsArray: value } as never
    const expected = { code: 'config-invalid', message: expect.stringMatching(/rowsAsArray/) }
    await expect(db.query(sql, [], options)).rejects.toMatchObject(expected)
    await expect(db.execute(sql, [], options)).rejects.toMatchObject(expected)
    await expect(db.stream(sql, [], options).next()).rejects.toMatchObject(expected)
    await expect(db.transaction(async () => undefined, options)).rejects.toMatchObject(expected)
    expect(cluster.log.count({ sql })).toBe(0)
  })

  // The compiler is the test.
  it('have a type of their own', async () => {
    const { db } = await harness()
    const lists: Result<PositionalRow> = await db.query(sql, [], positional)
    const pairs: Result<[number, number]> = await db.query<[number, number]>(join, [], positional)
    const rows: Result<Row> = await db.query(sql, [], { timeoutMs: 1_000 })
    const options: CallOptions = {}
    const named: Result<{ id: number }> = await db.query<{ id: number }>(sql, [], options)
    expect([lists, pairs, rows, named].map(({ length }) => length)).toEqual([1, 2, 1, 1])
  })
})
