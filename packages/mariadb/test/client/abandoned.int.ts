import { setTimeout as sleep } from 'node:timers/promises'
import { type Lab, openLab } from '@ha/bootstrap'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { createMariadb, type Mariadb } from '../../src/index.ts'

let lab: Lab
let db: Mariadb

beforeAll(async () => {
  lab = openLab(inject('lab'))
  db = createMariadb(lab.url, { pool: { maximumSize: 2 } })
  await db.ready()
})
afterAll(async () => {
  await db.close()
})

const sleeping = async (): Promise<number> => {
  const sql = "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP(%'"
  const [row] = await db.query<{ readonly n: number | bigint }>(sql)
  return Number(row?.n)
}
const soonNone = async (): Promise<number> => {
  const untilMs = performance.now() + 3_000
  while (performance.now() < untilMs && (await sleeping()) > 0) await sleep(50)
  return sleeping()
}
const limits = { timeoutMs: 300 }

describe('on a real server, work ends with its caller', () => {
  test.each([
    ['a query', () => db.query('SELECT SLEEP(20)', [], limits)],
    ['a prepared statement', () => db.execute('SELECT SLEEP(20)', [], limits)],
    ['a transaction', () => db.transaction((tx) => tx.query('SELECT SLEEP(20)'), limits)],
    ['a session', () => db.session((session) => session.query('SELECT SLEEP(20)'), limits)],
    ['a stream', () => db.stream('SELECT SLEEP(20)', [], limits).next()],
    [
      'a query whose caller aborts it',
      () => db.query('SELECT SLEEP(20)', [], { signal: AbortSignal.timeout(300) }),
    ],
  ] as const)('%s', async (_, call) => {
    await expect(call()).rejects.toThrow()
    expect(await soonNone()).toBe(0)
  })
})
