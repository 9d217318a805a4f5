import { expect, test } from 'vitest'
import { checkDisk, checkMemory } from '../../src/model/validation.ts'

test('too little memory is refused with both numbers and a way out', () => {
  expect(() => checkMemory(500, 3, 'galera')).toThrow(
    '3 nodes need 600 MiB of memory and 500 MiB are available; end other programs, or run: hactl up galera --nodes 1',
  )
})

test('enough memory passes, and so does not knowing', () => {
  expect(() => checkMemory(600, 3, 'galera')).not.toThrow()
  expect(() => checkMemory(undefined, 3, 'galera')).not.toThrow()
})

test('a disk without room for the data of the lab is refused by name', () => {
  const on = (mib: number | undefined) => () => checkDisk({ folder: '/data', mib }, 1, 'rabbitmq')

  expect(on(79)).toThrow('1 nodes need 80 MiB of disk space and 79 MiB are free for /data')
  expect(on(80)).not.toThrow()
  expect(on(undefined)).not.toThrow()
})
