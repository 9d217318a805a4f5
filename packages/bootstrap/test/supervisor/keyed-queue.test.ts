import { deferred } from '@ha/core/driver'
import { expect, test } from 'vitest'
import { KeyedQueue } from '../../src/supervisor/fault-injector.ts'

test('work for one key waits for the work before it, and other keys do not', async () => {
  const queue = new KeyedQueue()
  const order: string[] = []
  const first = deferred()
  const slow = queue.run('a', async () => {
    await first.promise
    order.push('a1')
  })
  const next = queue.run('a', async () => void order.push('a2'))
  await queue.run('b', async () => void order.push('b1'))

  first.resolve()
  await Promise.all([slow, next])

  expect(order).toEqual(['b1', 'a1', 'a2'])
})

test('a failure reaches whoever asked and stops nobody behind it', async () => {
  const queue = new KeyedQueue()
  const failing = queue.run('a', () => Promise.reject(new Error('no')))
  const next = queue.run('a', async () => 'yes')

  await expect(failing).rejects.toThrow('no')
  await expect(next).resolves.toBe('yes')
})

test('work that needs several keys waits for all of them, and each of them waits for it', async () => {
  const queue = new KeyedQueue()
  const order: string[] = []
  const first = deferred()
  const slow = queue.run('a', async () => {
    await first.promise
    order.push('a')
  })
  const both = queue.runAll(['a', 'b'], async () => void order.push('both'))
  const last = queue.run('b', async () => void order.push('b'))

  first.resolve()
  await Promise.all([slow, both, last])

  expect(order).toEqual(['a', 'both', 'b'])
})
