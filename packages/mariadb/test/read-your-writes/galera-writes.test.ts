import { deferred } from '@ha/core/driver'
import { expect, test } from 'vitest'
import { GaleraWrites } from '../../src/read-your-writes.ts'

const one = { host: 'db', port: 1 }
const two = { host: 'db', port: 2 }
const three = { host: 'db', port: 3 }
const all = [one, two, three]

const wholeOf = (writes: GaleraWrites): readonly number[] =>
  all.filter((node) => writes.isUpToDate(node)).map(({ port }) => port)
const succeeds = async (): Promise<void> => undefined

test('a client that wrote nothing waits nowhere', () => {
  expect(wholeOf(new GaleraWrites())).toEqual([1, 2, 3])
})

test('the node through which everything was written has it, and no other is known to', () => {
  const writes = new GaleraWrites()
  writes.note(one)
  writes.note(one)
  expect(wholeOf(writes)).toEqual([1])
})

test('after something went through another node, none is known to have both: it may have written nothing', () => {
  const writes = new GaleraWrites()
  writes.note(one)
  writes.note(two)
  expect(wholeOf(writes)).toEqual([])
})

test('a wait proves that a node has what was written before it', async () => {
  const writes = new GaleraWrites()
  writes.note(one)
  await writes.recordWait(two, succeeds)
  expect(wholeOf(writes)).toEqual([1, 2])
})

test('a node keeps what it was proved to have while writes go through it, and the others lose it', async () => {
  const writes = new GaleraWrites()
  writes.note(one)
  await writes.recordWait(two, succeeds)
  writes.note(two)
  writes.note(two)
  expect(wholeOf(writes)).toEqual([2])
})

test('a wait says nothing of what was written while it lasted', async () => {
  const writes = new GaleraWrites()
  const wait = deferred<void>()
  const waiting = writes.recordWait(two, () => wait.promise)
  writes.note(one)
  wait.resolve()
  await waiting
  expect(wholeOf(writes)).toEqual([1])
})

test('a wait that was overtaken by a later one takes nothing back', async () => {
  const writes = new GaleraWrites()
  const slow = deferred<void>()
  const waiting = writes.recordWait(two, () => slow.promise)
  writes.note(one)
  await writes.recordWait(two, succeeds)
  slow.resolve()
  await waiting
  expect(wholeOf(writes)).toEqual([1, 2])
})

test('a wait that failed proves nothing', async () => {
  const writes = new GaleraWrites()
  writes.note(one)
  await expect(writes.recordWait(two, () => Promise.reject(new Error('gone')))).rejects.toThrow('gone')
  expect(wholeOf(writes)).toEqual([1])
})
