import { setTimeout as sleep } from 'node:timers/promises'
import { type Lab, openLab } from '@ha/bootstrap'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { MariadbConnection } from '../../src/driver/connection.ts'
import { mariadbDriver } from '../../src/driver/driver.ts'
import type { PipelinedStatement, Statement } from '../../src/driver/statement.ts'
import { driverOptions } from './driver-options.ts'

const never = new AbortController().signal
let lab: Lab
let driver: ReturnType<typeof mariadbDriver>
let connection: MariadbConnection

beforeAll(async () => {
  lab = openLab(inject('lab'))
  const { endpoint } = lab.nodes[0]!
  const own = { username: 'ha', password: 'ha', database: 'ha' }
  driver = mariadbDriver(driverOptions(endpoint, { ...own, session: { isolation: 'read-committed' } }))
  connection = await driver.open(endpoint, never)
})
afterAll(async () => {
  driver.destroy(connection)
  await lab.ready()
})

const text = (sql: string, ...args: readonly unknown[]): PipelinedStatement => ({ sql, args, kind: 'text' })

async function rowsOf(statement: Statement): Promise<readonly unknown[]> {
  const answer = await connection.run(statement)
  if (answer.kind !== 'rows') throw new Error(`expected rows, not ${answer.kind}`)
  return answer.rows
}

describe('on a real server', () => {
  test.each(['text', 'prepared'] as const)('values come back as they went (%s)', async (kind) => {
    await connection.run(
      text('CREATE OR REPLACE TABLE v (id INT PRIMARY KEY, big BIGINT, at DATETIME(3), doc JSON, raw BLOB)'),
    )
    const row = {
      id: 1,
      big: 2n ** 60n,
      at: new Date(1_234_567_890_123),
      doc: { a: [1] },
      raw: Buffer.from([0, 39]),
    }
    await connection.run({ sql: 'INSERT INTO v VALUES (:id, :big, :at, :doc, :raw)', args: row, kind })
    expect(await rowsOf({ sql: 'SELECT * FROM v', kind })).toEqual([row])
  })

  test('a batch that fails leaves none of its rows', async () => {
    await connection.run(text('CREATE OR REPLACE TABLE b (id INT PRIMARY KEY)'))
    const batch = connection.run({ sql: 'INSERT INTO b VALUES (?)', args: [[1], [2], [1]], kind: 'batch' })
    await expect(batch).rejects.toMatchObject({ errno: 1062, sqlState: '23000' })
    expect(await rowsOf(text('SELECT id FROM b'))).toEqual([])
  })

  test('nothing of a borrower is left for the next one', async () => {
    await connection.run(
      text("SET @a = 1, SESSION sql_mode = '', SESSION time_zone = '+05:00', autocommit = 0"),
    )
    await connection.run(text('SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE'))
    await connection.run(text('CREATE TEMPORARY TABLE scratch (id INT)'))
    await connection.run(text("SELECT GET_LOCK('mine', 0)"))
    await connection.run(text('USE information_schema'))
    await driver.renew(connection, never)
    const [session] = await rowsOf(
      text(`SELECT @a AS a, DATABASE() AS db, @@time_zone AS zone, @@autocommit AS commits, @@tx_isolation AS isolation,
        @@sql_mode = @@global.sql_mode AS mode, IS_FREE_LOCK('mine') AS free, @@character_set_client AS charset`),
    )
    expect(session).toEqual({
      a: null,
      db: 'ha',
      zone: '+00:00',
      commits: 1,
      isolation: 'READ-COMMITTED',
      mode: 1,
      free: 1,
      charset: 'utf8mb4',
    })
    await expect(connection.run(text('SELECT * FROM scratch'))).rejects.toMatchObject({ errno: 1146 })
  })

  // The reason why a reset connection is not used for waiting. If this fails, the server was fixed.
  test('a read waits for what its node has still to apply, and never again once its session was reset', async () => {
    await connection.run(text('CREATE OR REPLACE TABLE w (id INT PRIMARY KEY)'))
    const { endpoint } = lab.nodes[1]!
    const [blocker, reader] = [await driver.open(endpoint, never), await driver.open(endpoint, never)]
    const waits = async (id: number): Promise<boolean> => {
      let isApplying = false
      await blocker.run(text('LOCK TABLES w READ'))
      await connection.run(text('INSERT INTO w VALUES (?)', id))
      const unblocked = sleep(1_500).then(() => {
        isApplying = true
        return blocker.run(text('UNLOCK TABLES'))
      })
      await reader.run(text('SET STATEMENT wsrep_sync_wait=1 FOR SELECT 1'))
      const hasWaited = isApplying
      await unblocked
      return hasWaited
    }
    const before = await waits(1)
    await reader.reset()

    expect([before, await waits(2)]).toEqual([true, false])
    for (const each of [blocker, reader]) each.destroy()
  })

  test('a session that is killed is lost once, and what ran on it', async () => {
    const victim = await driver.open(connection.endpoint, never)
    const heard: string[] = []
    victim.watch((signal) => heard.push(signal.kind))
    const sleep = victim.run(text('SELECT SLEEP(30)'))
    await connection.run(text(`KILL ${victim.threadId}`))
    await expect(sleep).rejects.toMatchObject({ stage: 'lost' })
    expect(heard).toEqual(['lost'])
  })

  // 5 to 6 seconds by default, 1 to 3 here: commits wait, and so do reads with `wsrep_sync_wait`.
  test('a survivor that waits for the group’s new view answers the monitor before it answers others', async () => {
    await lab.ctl('db1', ['-e', 'SET GLOBAL wsrep_sync_wait = 15'])
    const monitor = await driver.open(connection.endpoint, never)
    await driver.read(monitor, never)
    const waiting = await driver.open(connection.endpoint, never)
    await waiting.run(text('SET SESSION wsrep_sync_wait = 1'))
    const fault = await lab.kill('db3', { forMs: 60_000 })
    const answers: string[] = []
    const waited = waiting.run(text('SELECT 1')).then(() => answers.push('others'))
    for (let size: number | undefined = 3; size === 3; ) {
      size = (await driver.read(monitor, never)).galera?.clusterSize
      answers.push(`monitor, ${size}`)
      await sleep(20)
    }
    await waited
    await fault.heal()
    await lab.ready()
    // The cluster is shared, and this is what every session of this node would begin with.
    await lab.ctl('db1', ['-e', 'SET GLOBAL wsrep_sync_wait = DEFAULT'])
    expect(answers.indexOf('others')).toBeGreaterThanOrEqual(5)
    expect(answers).toContain('monitor, 2')
    for (const each of [monitor, waiting]) each.destroy()
  })

  test('a node without a quorum says so, and answers 1047 to a table', async () => {
    const fault = await lab.isolate('db1', { forMs: 60_000 })
    const status = async () => (await driver.read(connection, never)).galera?.status
    await expect.poll(status).toBe('non-Primary')
    await expect(connection.run(text('SELECT * FROM v'))).rejects.toMatchObject({ errno: 1047 })
    expect(driver.reusable(connection)).toBe(true)
    await fault.heal()
  })
})
