import type { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { type FakeCluster, startFakeServer } from '@ha/testing/mariadb'
import { createConnection } from 'mariadb'
import { afterEach, describe, expect, test } from 'vitest'
import { MariadbConnection } from '../../src/driver/connection.ts'
import { utc } from '../../src/driver/dates.ts'
import { mariadbDriver } from '../../src/driver/driver.ts'
import { DriverError } from '../../src/driver/error-classification.ts'
import type { PipelinedStatement } from '../../src/driver/statement.ts'
import { driverOptions } from './driver-options.ts'

const never = new AbortController().signal
const one: PipelinedStatement = { sql: 'SELECT 1', kind: 'text' }
const slow: PipelinedStatement = { sql: 'SELECT 2', kind: 'text' }
let server: FakeCluster

async function opened(): Promise<MariadbConnection> {
  server = await startFakeServer()
  await server.query('CREATE TABLE t (id INT PRIMARY KEY, v INT)')
  server.script({ when: { sql: slow.sql }, do: 'silence' })
  const { endpoint } = server.node(1)
  return mariadbDriver(driverOptions(endpoint)).open(endpoint, never)
}

afterEach(() => server.close())

/** The rejection, as soon as it happens. */
function fate(work: Promise<unknown>): { error: unknown } {
  const seen: { error: unknown } = { error: undefined }
  work.catch((error: unknown) => {
    seen.error = error
  })
  return seen
}

describe('a connection that ends', () => {
  test('rejects whatever is under way in the same turn', async () => {
    const connection = await opened()
    const waiting = [connection.run(slow), connection.run(one), connection.ping()].map(fate)
    await server.log.until({ sql: slow.sql })
    connection.destroy()
    await Promise.resolve().then(() => undefined)
    expect(waiting.map(({ error }) => (error as DriverError | undefined)?.stage)).toEqual([
      'lost',
      'lost',
      'lost',
    ])
    expect(connection.busy).toBe(false)
  })

  test('causes no unhandled rejection when a statement is awaited only later', async () => {
    const connection = await opened()
    const waiting = connection.run(slow)
    await server.log.until({ sql: slow.sql })
    connection.destroy()
    // Node.js, and with it vitest, reports unhandled rejections after this turn.
    await turn()
    await expect(waiting).rejects.toMatchObject({ stage: 'lost' })
  })

  test.each(['reset', 'end'] as const)(
    'by the server’s hand (%s) loses the statement under way',
    async (how) => {
      const connection = await opened()
      server.script({ when: { sql: one.sql }, do: 'cut', how })
      await expect(connection.run(one)).rejects.toMatchObject({ stage: 'lost' })
      expect(connection.ended).toBe(true)
    },
  )

  test('tells the next statement that it was not sent', async () => {
    const connection = await opened()
    connection.destroy()
    await expect(connection.run(one)).rejects.toMatchObject({ stage: 'unsent' })
    await expect(connection.ping()).rejects.toMatchObject({ stage: 'unsent' })
    expect(() => connection.stream(one)).toThrow(DriverError)
    expect(server.log.count({ sql: one.sql })).toBe(0)
  })

  test('by a socket that only closes, which the driver does not see, rejects too', async () => {
    server = await startFakeServer({ listens: false })
    const socket = server.dial(server.node(1).endpoint)
    const driver = await createConnection({
      user: 'root',
      password: '',
      stream: (give) => give(undefined, socket),
    })
    const rules = { bigint: 'auto', dates: 'date', json: 'parsed', zone: utc } as const
    const connection = new MariadbConnection(server.node(1).endpoint, driver, socket as Socket, rules)
    server.script({ when: { sql: slow.sql }, do: 'silence' })
    const waiting = connection.run(slow)
    socket.destroy()
    await expect(waiting).rejects.toMatchObject({ stage: 'lost' })
  })

  test('is told of once, also when it ends politely', async () => {
    const connection = await opened()
    const heard: string[] = []
    connection.watch((signal) => heard.push(signal.kind))
    await connection.end()
    connection.destroy()
    await turn()
    expect(heard).toEqual(['lost'])
  })
})

describe('a statement', () => {
  test('that is cut off anywhere on its way may have arrived', async () => {
    for (const requestByte of [0, 1, 4, 5, 20]) {
      const connection = await opened()
      server.script({ when: { sql: /^INSERT/ }, do: 'cut', how: 'reset', at: { requestByte } })
      const insert = connection.run({ sql: 'INSERT INTO t (id, v) VALUES (1, 1)', kind: 'text' })
      await expect(insert).rejects.toMatchObject({ stage: 'lost' })
      await server.close()
    }
  })

  test.each<[string, PipelinedStatement]>([
    ['whose values cannot be written', { sql: 'SELECT ?', args: [() => 1], kind: 'text' }],
    ['that lacks a value', { sql: 'SELECT ?', args: [], kind: 'text' }],
    ['that lacks a name', { sql: 'SELECT :a', args: { b: 1 }, kind: 'prepared' }],
  ])('%s is not sent, and the connection goes on', async (_what, statement) => {
    const connection = await opened()
    await expect(connection.run(statement)).rejects.toMatchObject({ stage: 'unsent' })
    await expect(connection.run(one)).resolves.toMatchObject({ kind: 'rows' })
    expect(server.log.count({ command: 'execute' })).toBe(0)
    expect(server.log.count({ sql: /^SELECT [^\w@]/, command: 'query' })).toBe(0)
  })

  test('that a node without a quorum refuses leaves the connection as it is', async () => {
    const connection = await opened()
    server.script({ when: { sql: one.sql, times: 1 }, do: 'refuse', errno: 1047, sqlState: '08S01' })
    const refused = connection.run(one)
    await expect(refused).rejects.toMatchObject({ stage: 'answered', errno: 1047, sqlState: '08S01' })
    await expect(connection.run(one)).resolves.toMatchObject({ kind: 'rows' })
  })

  test('never appears in its error, nor do its values', async () => {
    const connection = await opened()
    const statement = { sql: 'SELEC ? AS hidden', args: ['a-secret'], kind: 'text' } as const
    server.script({ when: { sql: /^SELEC/ }, do: 'refuse', errno: 1064, message: 'You have an error' })
    const error: unknown = await connection.run(statement).catch((thrown: unknown) => thrown)
    const shown = `${String(error)} ${JSON.stringify(error, Object.getOwnPropertyNames(error))}`
    expect(shown).not.toMatch(/a-secret|hidden/)
  })

  test('in a pipeline has its own reply, whatever became of the one before it', async () => {
    const connection = await opened()
    const replies = await connection.pipeline([{ sql: 'SELECT nonsense FROM', kind: 'text' }, one])
    expect(replies.map((reply) => reply.kind)).toEqual(['failed', 'rows'])
  })
})

describe('a transaction', () => {
  const insert: PipelinedStatement = { sql: 'INSERT INTO t (id, v) VALUES (1, 1)', kind: 'text' }

  test('is open from BEGIN to COMMIT, also after an error', async () => {
    const connection = await opened()
    await connection.run({ sql: 'BEGIN', kind: 'text' })
    await connection.run(insert)
    await connection.run(insert).catch(() => undefined)
    expect(connection.inTransaction).toBe(true)
    await connection.run({ sql: 'COMMIT', kind: 'text' })
    expect(connection.inTransaction).toBe(false)
  })

  test('is not opened by a statement that failed outside of one', async () => {
    const connection = await opened()
    await connection.run(insert)
    await connection.run(insert).catch(() => undefined)
    expect(connection.inTransaction).toBe(false)
  })
})
