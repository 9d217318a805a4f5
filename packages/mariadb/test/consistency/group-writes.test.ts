import { gate } from '@ha/core'
import { expect, test } from 'vitest'
import { GroupWrites } from '../../src/consistency/group-writes.ts'

const one = { host: 'db', port: 1 }
const two = { host: 'db', port: 2 }

test('a client that wrote nothing waits nowhere', () => {
  expect(new GroupWrites().isWholeAt(one)).toBe(true)
})

test('who acknowledged the latest write has everything, and nobody else is known to', async () => {
  const writes = new GroupWrites()
  await writes.note(one, Promise.resolve())
  expect([one, two].map((node) => writes.isWholeAt(node))).toEqual([true, false])
})

test('a write that began when the others were acknowledged moves everything to its node', async () => {
  const writes = new GroupWrites()
  await writes.note(one, Promise.resolve())
  await writes.note(two, Promise.resolve())
  expect([one, two].map((node) => writes.isWholeAt(node))).toEqual([false, true])
})

test.each([
  ['in the order in which they were sent', 0, 1],
  ['in the other order', 1, 0],
] as const)(
  'of two writes that overlap on two nodes neither has both, answered %s',
  async (_, first, second) => {
    const writes = new GroupWrites()
    const answers = [gate<void>(), gate<void>()] as const
    const noted = [writes.note(one, answers[0].promise), writes.note(two, answers[1].promise)] as const
    answers[first].resolve()
    await noted[first]
    answers[second].resolve()
    await noted[second]
    expect([one, two].map((node) => writes.isWholeAt(node))).toEqual([false, false])
  },
)

test('writes that overlap on one node leave everything there', async () => {
  const writes = new GroupWrites()
  await Promise.all([writes.note(one, Promise.resolve()), writes.note(one, Promise.resolve())])
  expect(writes.isWholeAt(one)).toBe(true)
})

test('a write that was refused changes nothing', async () => {
  const writes = new GroupWrites()
  await writes.note(one, Promise.resolve())
  await writes.note(two, Promise.reject(new Error('duplicate key')))
  expect(writes.isWholeAt(one)).toBe(true)
})

test('writes of which nobody knows when they began leave everything to no single node', async () => {
  const writes = new GroupWrites()
  await writes.note(one, Promise.resolve())
  await writes.note(two, undefined)
  expect([one, two].map((node) => writes.isWholeAt(node))).toEqual([false, false])
})
