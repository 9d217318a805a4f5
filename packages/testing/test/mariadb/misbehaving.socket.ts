import { connect } from 'node:net'
import { createConnection } from 'mariadb'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FakeCluster, type Rule, startFakeServer } from '../../src/mariadb/index.ts'
import { type Client, clientOn, keys, keyTable, outcomeOf } from './client.ts'

let cluster: FakeCluster

beforeEach(async () => {
  cluster = await startFakeServer()
  await keyTable(cluster, { a: 1 })
})
afterEach(() => cluster.close())

function overTcp(): Promise<Client> {
  const { host, port } = cluster.node(1)
  return clientOn(connect({ host, port, noDelay: true }))
}

const add = "UPDATE t SET v = v + 1 WHERE k = 'a'"

describe('a fake server that is scripted', () => {
  it('answers in place of the engine', async () => {
    const one = await overTcp()
    cluster.script({ when: { sql: 'CALL p()' }, do: 'answer', with: { rows: [{ n: 7, s: 'x', e: null }] } })
    expect(await one.run('CALL p()')).toEqual([{ n: 7, s: 'x', e: null }])
  })

  it('answers in binary what was prepared', async () => {
    const one = await overTcp()
    cluster.script({ when: { command: 'execute', sql: /^CALL/ }, do: 'answer', with: { rows: [{ n: 7 }] } })
    expect(await outcomeOf(one.connection.execute('CALL p(?)', [1]))).toEqual([{ n: 7 }])
  })

  it('refuses as often as it is told', async () => {
    const one = await overTcp()
    cluster.script({ when: { sql: add, skip: 1, times: 1 }, do: 'refuse', errno: 1213, sqlState: '40001' })
    expect([await one.run(add), await one.run(add), await one.run(add)]).toEqual([1, 1213, 1])
  })

  it('refuses before the greeting without a state', async () => {
    cluster.script({
      when: { command: 'connect' },
      do: 'refuse',
      errno: 1040,
      message: 'Too many connections',
    })
    await expect(overTcp()).rejects.toMatchObject({ errno: 1040, sqlState: 'HY000' })
  })

  it('refuses a log-in, and a change of user', async () => {
    const one = await overTcp()
    cluster.script({ when: { command: 'log-in' }, do: 'refuse', errno: 1226, sqlState: '42000' })
    cluster.script({ when: { command: 'change-user' }, do: 'refuse', errno: 1045, sqlState: '28000' })
    await expect(overTcp()).rejects.toMatchObject({ errno: 1226 })
    expect(await outcomeOf(one.connection.changeUser({ user: 'other' }))).toBe(1045)
  })

  it('holds a command and all behind it until it is released', async () => {
    const one = await overTcp()
    cluster.script({ when: { sql: 'SELECT 1 AS n' }, do: 'hold', until: 'go' })
    const settled: unknown[] = []
    const both = [one.run('SELECT 1 AS n'), one.run('SELECT 2 AS n')].map((each) =>
      each.then((rows) => settled.push(rows)),
    )
    await cluster.log.until({ sql: 'SELECT 1 AS n' })
    expect([settled.length, cluster.log.count({ sql: 'SELECT 2 AS n' })]).toEqual([0, 0])
    cluster.release('go')
    await Promise.all(both)
    expect(settled.length).toBe(2)
  })

  it.each<[string, Rule, string | number, number]>([
    ['a cut before', { when: { sql: add }, do: 'cut', how: 'reset' }, 'ECONNRESET', 1],
    ['a cut in the request', { when: { sql: add }, do: 'cut', how: 'end', at: { requestByte: 9 } }, 45009, 1],
    [
      'a cut without an answer',
      { when: { sql: add }, do: 'cut', how: 'reset', at: 'unanswered' },
      'ECONNRESET',
      2,
    ],
    ['a cut in the answer', { when: { sql: add }, do: 'cut', how: 'end', at: { answerByte: 3 } }, 45009, 2],
    ['a cut behind the answer', { when: { sql: add }, do: 'cut', how: 'end', at: 'after' }, 1, 2],
  ])('does what a server does before %s', async (_, rule, outcome, value) => {
    const one = await overTcp()
    cluster.script(rule)
    expect([await one.run(add), await keys(cluster)]).toEqual([outcome, { a: value }])
  })

  it('does what it is told behind its half of a connection that has ended', async () => {
    const { host, port } = cluster.node(1)
    const socket = connect({ host, port, allowHalfOpen: true })
    const one = await clientOn(socket)
    cluster.script({ when: { sql: add, times: 1 }, do: 'cut', how: 'half', at: 'unanswered' })
    await Promise.all([one.run(add), one.run(add)])
    await cluster.log.until({ sql: add }, { count: 2 })
    expect(await keys(cluster)).toEqual({ a: 3 })
  })

  it('keeps the locks of a connection that it fell silent on', async () => {
    const [one, two] = [await overTcp(), await overTcp()]
    cluster.script({ when: { sql: 'SELECT 1', connection: 1 }, do: 'silence' })
    await one.run('BEGIN')
    await one.run(add)
    void one.run('SELECT 1')
    await cluster.log.until({ sql: 'SELECT 1' })
    await two.run('SET innodb_lock_wait_timeout = 0')
    expect(await two.run(add)).toBe(1205)
  })

  it('never greets', async () => {
    cluster.script({ when: { command: 'connect' }, do: 'silence' })
    const { host, port } = cluster.node(1)
    const connecting = createConnection({ host, port, user: 'root', connectTimeout: 50 })
    await expect(connecting).rejects.toMatchObject({ errno: 45012 })
  })

  it.each([
    [{ when: { command: 'conect' }, do: 'silence' }, "not 'conect'; did you mean 'connect'?"],
    [{ when: {}, do: 'silence' }, 'about a command or an sql'],
    [{ when: { sql: 'x' }, do: 'answer', with: { rows: [] } }, 'given when there are no rows'],
    [{ when: { sql: /x/g }, do: 'silence' }, 'without the flags g and y'],
    [{ when: { from: 'server', byte: 0 }, do: 'silence' }, 'a whole number from 1, not 0'],
  ])('refuses the rule %j', (rule, words) => {
    expect(() => cluster.script(rule as Rule)).toThrow(words)
  })
})

describe('a connection that is cut at every byte', () => {
  // What can come of a write: whether its client was told, and how often it happened.
  it.each([
    ['server', ['not told, 0', 'not told, 1', 'told, 1']],
    ['client', ['not told, 0', 'not told, 1', 'told, 1']],
  ] as const)('of the %s writes once when it was told so, and never twice', async (from, outcomes) => {
    const seen = new Set<string>()
    for (let byte = 1; !seen.has('told, 1'); byte += 1) {
      const key = `${from} ${byte}`
      const connection = cluster.accepted + 1
      const undo = cluster.script({ when: { from, byte, connection }, do: 'cut', how: 'reset' })
      const isTold = await insertOnce(key)
      undo()
      const [row] = await cluster.query('SELECT COUNT(*) AS n FROM t WHERE k = ?', [key])
      seen.add(`${isTold ? 'told' : 'not told'}, ${row?.['n']}`)
    }
    expect([...seen].sort()).toEqual(outcomes)
  })

  async function insertOnce(key: string): Promise<boolean> {
    const stream = cluster.node(1).dial()
    try {
      const one = await clientOn(stream)
      const outcome = await one.run('INSERT INTO t VALUES (?, 0)', [key])
      return outcome === 1
    } catch {
      // It did not even log in.
      return false
    } finally {
      stream.destroy()
    }
  }
})
