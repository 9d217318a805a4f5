import { type FakeCluster, startFakeServer } from '@ha/testing/mariadb'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MariadbConnection } from '../../src/driver/connection.ts'
import { mariadbDriver } from '../../src/driver/driver.ts'
import type { PipelinedStatement } from '../../src/driver/statement.ts'
import { driverOptions } from './driver-options.ts'

const all: PipelinedStatement = { sql: 'SELECT id FROM t', kind: 'text' }
const count = 500
let server: FakeCluster
let connection: MariadbConnection

beforeEach(async () => {
  server = await startFakeServer()
  const rows = Array.from({ length: count }, (_, i) => ({ id: i }))
  server.script({ when: { sql: all.sql }, do: 'answer', with: { rows } })
  const { endpoint } = server.node(1)
  connection = await mariadbDriver(driverOptions(endpoint)).open(endpoint, new AbortController().signal)
})

afterEach(() => server.close())

async function taken(statement: PipelinedStatement, atMost = Number.POSITIVE_INFINITY): Promise<number> {
  let rows = 0
  for await (const _row of connection.stream(statement)) {
    rows++
    if (rows === atMost) break
  }
  return rows
}

describe('a stream of rows', () => {
  test('gives every row, and its connection goes on', async () => {
    expect(await taken(all)).toBe(count)
    expect(connection.busy).toBe(false)
    await expect(connection.run({ sql: 'SELECT 1', kind: 'text' })).resolves.toMatchObject({ kind: 'rows' })
  })

  test('waits for whoever takes the rows', async () => {
    const rows = connection.stream(all)
    await server.log.until({ sql: all.sql })
    await expect.poll(() => rows.readableLength).toBeGreaterThan(0)
    expect(rows.readableLength).toBeLessThan(count)
    expect(connection.busy).toBe(true)
    rows.destroy()
  })

  test('that is left before its end ends its connection', async () => {
    expect(await taken(all, 3)).toBe(3)
    expect(connection.ended).toBe(true)
  })

  test('fails with the server’s error, and its connection goes on', async () => {
    server.script({ when: { sql: 'SELECT bad FROM t' }, do: 'refuse', errno: 1054, sqlState: '42S22' })
    await expect(taken({ sql: 'SELECT bad FROM t', kind: 'text' })).rejects.toMatchObject({ errno: 1054 })
    expect(connection.ended).toBe(false)
    expect(connection.busy).toBe(false)
  })

  test('fails when its connection is lost under way', async () => {
    server.script({ when: { sql: 'SELECT id FROM x' }, do: 'silence' })
    const rows = taken({ sql: 'SELECT id FROM x', kind: 'text' })
    await server.log.until({ sql: 'SELECT id FROM x' })
    await server.node(1).kill()
    await expect(rows).rejects.toMatchObject({ stage: 'lost' })
  })

  test('gives nothing for a write, and ends', async () => {
    await server.query('CREATE TABLE t (id INT PRIMARY KEY)')
    expect(await taken({ sql: 'INSERT INTO t (id) VALUES (1)', kind: 'text' })).toBe(0)
    expect(connection.ended).toBe(false)
  })
})
