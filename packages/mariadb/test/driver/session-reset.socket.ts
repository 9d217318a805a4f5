import { type FakeCluster, startFakeServer } from '@ha/testing/mariadb'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MariadbConnection } from '../../src/driver/connection.ts'
import { mariadbDriver } from '../../src/driver/driver.ts'
import { driverOptions } from './driver-options.ts'

const never = new AbortController().signal
let server: FakeCluster
let driver: ReturnType<typeof mariadbDriver>
let connection: MariadbConnection

beforeEach(async () => {
  server = await startFakeServer()
  await server.query('CREATE TABLE t (id INT PRIMARY KEY)')
  const { endpoint } = server.node(1)
  driver = mariadbDriver(driverOptions(endpoint, { session: { isolation: 'read-committed' } }))
  connection = await driver.open(endpoint, never)
  server.log.clear()
})

afterEach(() => server.close())

function said(): readonly string[] {
  return server.log.entries().map(({ command, sql }) => sql ?? command)
}

describe('a connection that was given back', () => {
  test('costs nothing when nothing was left behind', async () => {
    await connection.run({ sql: 'INSERT INTO t (id) VALUES (1)', kind: 'text' })
    server.log.clear()
    expect(driver.renew(connection, never)).toBeUndefined()
    expect(said()).toEqual([])
  })

  test('rolls an open transaction back', async () => {
    await connection.run({ sql: 'BEGIN', kind: 'text' })
    await connection.run({ sql: 'INSERT INTO t (id) VALUES (1)', kind: 'text' })
    server.log.clear()
    await driver.renew(connection, never)
    expect(said()).toEqual(['ROLLBACK'])
    expect(connection.inTransaction).toBe(false)
    expect(await server.query('SELECT id FROM t')).toEqual([])
  })

  test('begins anew when something may have been left behind', async () => {
    await connection.run({ sql: 'SET SESSION sql_mode = ""', kind: 'text' })
    expect(connection.dirty).toBe(true)
    server.log.clear()
    await driver.renew(connection, never)
    expect(said()).toEqual([
      'reset-connection',
      'SELECT @ha_session AS mark',
      'USE `test`',
      "SET SESSION time_zone='+00:00'",
      'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
      'SET SESSION autocommit=1',
      'SET @ha_session=1',
    ])
    expect(connection.dirty).toBe(false)
  })

  test('cannot be lent while a statement is under way, nor when it is over', async () => {
    server.script({ when: { sql: 'SELECT 1' }, do: 'silence' })
    expect(driver.reusable(connection)).toBe(true)
    const work = connection.run({ sql: 'SELECT 1', kind: 'text' })
    expect(driver.reusable(connection)).toBe(false)
    connection.destroy()
    await work.catch(() => undefined)
    expect(driver.reusable(connection)).toBe(false)
  })

  test('is not lent when the server refuses the reset, which the driver takes for success', async () => {
    server.script({ when: { command: 'reset-connection' }, do: 'refuse', errno: 1047 })
    await connection.run({ sql: 'SET @x = 7', kind: 'text' })
    await expect(driver.renew(connection, never)).rejects.toThrow(/the session could not be reset/)
  })

  test('is not lent when it cannot be cleaned', async () => {
    server.script({ when: { sql: 'ROLLBACK' }, do: 'refuse', errno: 1047 })
    await connection.run({ sql: 'BEGIN', kind: 'text' })
    await expect(driver.renew(connection, never)).rejects.toMatchObject({ errno: 1047 })
  })
})

test('a session that began without a schema is not lent with one', async () => {
  const { endpoint } = server.node(1)
  const bare = mariadbDriver(driverOptions(endpoint, { database: undefined }))
  const session = await bare.open(endpoint, never)
  await session.run({ sql: 'USE test', kind: 'text' })
  await expect(bare.renew(session, never)).rejects.toThrow('a schema was selected')
})

test('a session commits by itself, whatever its first statements have done', async () => {
  const { endpoint } = server.node(1)
  const own = mariadbDriver(driverOptions(endpoint, { session: { initSql: ['SET autocommit=0'] } }))
  const session = await own.open(endpoint, never)
  await session.run({ sql: 'INSERT INTO t (id) VALUES (1)', kind: 'text' })
  await own.renew(session, never)
  expect(await server.query('SELECT id FROM t')).toEqual([{ id: 1 }])
})
