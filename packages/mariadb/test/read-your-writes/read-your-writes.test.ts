import { systemClock } from '@ha/core'
import { deferred } from '@ha/core/driver'
import { expect, test } from 'vitest'
import type { MariadbConnection } from '../../src/driver/connection.ts'
import { ReadYourWrites } from '../../src/read-your-writes.ts'

// A server that reports positions and never catches up.
function connectionTo(port: number, gtid: string): MariadbConnection {
  const run = async ({ sql }: { sql: string }): Promise<unknown> => ({
    kind: 'rows',
    rows: [sql.includes('WAIT') ? { reached: -1 } : { gtid }],
    columns: [],
  })
  return { endpoint: { host: 'db', port }, address: `db:${port}`, run } as unknown as MariadbConnection
}

test.each(['galera', 'replication'] as const)(
  'in %s, the server that acknowledged the latest write is not asked whether it has it',
  async (topology) => {
    const readYourWrites = new ReadYourWrites(true, systemClock, () => topology)
    const primary = connectionTo(1, '0-1-7')
    await readYourWrites.noteWrite(primary, Promise.resolve())
    await expect(readYourWrites.catchUp(primary, 10)).resolves.toBeUndefined()
  },
)

test('another server is asked', async () => {
  const readYourWrites = new ReadYourWrites(true, systemClock, () => 'replication')
  await readYourWrites.noteWrite(connectionTo(1, '0-1-7'))
  await expect(readYourWrites.catchUp(connectionTo(2, ''), 10)).rejects.toThrow('not caught up')
})

test('an answer that was overtaken does not say who has the latest write', async () => {
  const readYourWrites = new ReadYourWrites(true, systemClock, () => 'replication')
  const answer = deferred<unknown>()
  const slow = { ...connectionTo(2, ''), run: () => answer.promise } as unknown as MariadbConnection
  const overtaken = readYourWrites.noteWrite(slow)
  await readYourWrites.noteWrite(connectionTo(1, '0-1-9'))
  answer.resolve({ kind: 'rows', rows: [{ gtid: '0-1-8' }], columns: [] })
  await overtaken
  await expect(readYourWrites.catchUp(connectionTo(2, ''), 10)).rejects.toThrow('not caught up')
})

test('a statement that wrote nothing says nothing new, and takes no blindness away', async () => {
  const readYourWrites = new ReadYourWrites(true, systemClock, () => 'replication')
  const first = connectionTo(1, '0-1-5')
  await readYourWrites.noteWrite(first)
  await readYourWrites.noteWrite(connectionTo(2, '0-1-9'))
  await readYourWrites.noteWrite({
    ...first,
    run: () => Promise.reject(new Error('lost')),
  } as unknown as MariadbConnection)
  await readYourWrites.noteWrite(first)
  expect(readYourWrites.knowsPosition).toBe(false)
  await expect(readYourWrites.catchUp(first, 10)).rejects.toThrow('not caught up')
  await readYourWrites.noteWrite(connectionTo(1, '0-1-10'))
  expect(readYourWrites.knowsPosition).toBe(true)
})

test('a later write with a lower number belongs to a history that took the place of the other', async () => {
  const readYourWrites = new ReadYourWrites(true, systemClock, () => 'replication')
  await readYourWrites.noteWrite(connectionTo(1, '0-1-9'))
  const promoted = connectionTo(2, '0-2-7')
  await readYourWrites.noteWrite(promoted)
  await expect(readYourWrites.catchUp(promoted, 10)).resolves.toBeUndefined()
})

test('a server that was late is known as late for a while', async () => {
  const readYourWrites = new ReadYourWrites(true, systemClock, () => 'replication')
  await readYourWrites.noteWrite(connectionTo(1, '0-1-7'))
  await readYourWrites.catchUp(connectionTo(2, ''), 10).catch(() => undefined)
  expect([...readYourWrites.lagging()]).toEqual(['db:2'])
})
