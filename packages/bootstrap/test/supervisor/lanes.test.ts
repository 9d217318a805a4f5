import { deferred } from '@ha/core/driver'
import { expect, test } from 'vitest'
import { Lanes } from '../../src/supervisor/lanes.ts'

test('work in one lane waits for the work before it, and other lanes do not', async () => {
  const lanes = new Lanes()
  const order: string[] = []
  const first = deferred()
  const slow = lanes.run('a', async () => {
    await first.promise
    order.push('a1')
  })
  const next = lanes.run('a', async () => void order.push('a2'))
  await lanes.run('b', async () => void order.push('b1'))

  first.resolve()
  await Promise.all([slow, next])

  expect(order).toEqual(['b1', 'a1', 'a2'])
})

test('a failure reaches whoever asked and stops nobody behind it', async () => {
  const lanes = new Lanes()
  const failing = lanes.run('a', () => Promise.reject(new Error('no')))
  const next = lanes.run('a', async () => 'yes')

  await expect(failing).rejects.toThrow('no')
  await expect(next).resolves.toBe('yes')
})

test('work that needs several lanes waits for all of them, and each of them waits for it', async () => {
  const lanes = new Lanes()
  const order: string[] = []
  const first = deferred()
  const slow = lanes.run('a', async () => {
    await first.promise
    order.push('a')
  })
  const both = lanes.runAll(['a', 'b'], async () => void order.push('both'))
  const last = lanes.run('b', async () => void order.push('b'))

  first.resolve()
  await Promise.all([slow, both, last])

  expect(order).toEqual(['a', 'both', 'b'])
})
