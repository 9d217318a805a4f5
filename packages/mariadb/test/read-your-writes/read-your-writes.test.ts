import { systemClock } from '@ha/core'
import { deferred } from '@ha/core/driver'
import { expect, test } from 'vitest'
import type { MariadbConnection } from '../../src/driver/connection.ts'
import { ReadYourWrites } from '../../src/read-your-writes.ts'

// A server that names positions and never catches up.
function connectionTo(port: number, gtid: string): MariadbConnection {
  const run = async ({ sql }: { sql: string }): Promise<unknown> => ({
    kind: 'rows',
    rows: [sql.includes('WAIT') ? { reached: -1 } : { gtid }],
    columns: [],
  })
  return { endpoint: { host: 'db', port }, run } as unknown as MariadbConnection
}

test.each(['galera', 'replication'] as const)(
  'in %s, the server that acknowledged the latest write is not asked whether it has it',
  async (topology) => {
    const causality = new ReadYourWrites(true, systemClock, () => topology)
    const primary = connectionTo(1, '0-1-7')
    await causality.noteWrite(primary, Promise.resolve())
    await expect(causality.catchUp(primary, 10)).resolves.toBeUndefined()
  },
)

test('another server is asked', async () => {
  const causality = new ReadYourWrites(true, systemClock, () => 'replication')
  await causality.noteWrite(connectionTo(1, '0-1-7'))
  await expect(causality.catchUp(connectionTo(2, ''), 10)).rejects.toThrow('not caught up')
})

test('an answer that was overtaken does not say who has the latest write', async () => {
  const causality = new ReadYourWrites(true, systemClock, () => 'replication')
  const answer = deferred<unknown>()
  const slow = { ...connectionTo(2, ''), run: () => answer.promise } as unknown as MariadbConnection
  const overtaken = causality.noteWrite(slow)
  await causality.noteWrite(connectionTo(1, '0-1-9'))
  answer.resolve({ kind: 'rows', rows: [{ gtid: '0-1-8' }], columns: [] })
  await overtaken
  await expect(causality.catchUp(connectionTo(2, ''), 10)).rejects.toThrow('not caught up')
})

test('a statement that wrote nothing says nothing new, and takes no blindness away', async () => {
  const causality = new ReadYourWrites(true, systemClock, () => 'replication')
  const first = connectionTo(1, '0-1-5')
  await causality.noteWrite(first)
  await causality.noteWrite(connectionTo(2, '0-1-9'))
  await causality.noteWrite({
    ...first,
    run: () => Promise.reject(new Error('lost')),
  } as unknown as MariadbConnection)
  await causality.noteWrite(first)
  expect(causality.knowsPosition).toBe(false)
  await expect(causality.catchUp(first, 10)).rejects.toThrow('not caught up')
  await causality.noteWrite(connectionTo(1, '0-1-10'))
  expect(causality.knowsPosition).toBe(true)
})

test('a later write with a lower number belongs to a history that took the place of the other', async () => {
  const causality = new ReadYourWrites(true, systemClock, () => 'replication')
  await causality.noteWrite(connectionTo(1, '0-1-9'))
  const promoted = connectionTo(2, '0-2-7')
  await causality.noteWrite(promoted)
  await expect(causality.catchUp(promoted, 10)).resolves.toBeUndefined()
})

test('a server that was late is known as late for a while', async () => {
  const causality = new ReadYourWrites(true, systemClock, () => 'replication')
  await causality.noteWrite(connectionTo(1, '0-1-7'))
  await causality.catchUp(connectionTo(2, ''), 10).catch(() => undefined)
  expect([...causality.lagging()]).toEqual(['db:2'])
})
