import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { acquireLabLock, isHeld, readLabLock } from '../../src/lab/lab-lock.ts'
import { identify } from '../../src/machine/process-table.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-lock-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const leaveLock = (term: number, startTicks: string): void => {
  const supervisor = { ...identify(process.pid), startTicks }
  mkdirSync(join(folder, 'supervisor'), { recursive: true })
  writeFileSync(
    join(folder, 'supervisor', String(term)),
    JSON.stringify({ term, supervisor, socket: '/old' }),
  )
}

test('the first lock opens the first term', () => {
  expect(acquireLabLock(folder, '/s')).toMatchObject({
    term: 1,
    socket: '/s',
    supervisor: { pid: process.pid },
  })
  expect(isHeld(readLabLock(folder))).toBe(true)
})

test('a lab that somebody holds cannot be locked', () => {
  acquireLabLock(folder, '/s')

  expect(acquireLabLock(folder, '/other')).toBeUndefined()
  expect(readLabLock(folder)?.socket).toBe('/s')
})

test('a dead holder is followed by the next term, though its pid came back', () => {
  leaveLock(9, '1')

  expect(acquireLabLock(folder, '/s')).toMatchObject({ term: 10 })
  expect(readLabLock(folder)?.term).toBe(10)
})

test('a lab that nobody locked is not held', () => {
  expect(isHeld(readLabLock(folder))).toBe(false)
})

test('a lock that was cut short is held by nobody and followed by the next term', () => {
  leaveLock(4, '1')
  writeFileSync(join(folder, 'supervisor', '5'), '{"term":5,')

  expect(readLabLock(folder)).toBeUndefined()
  expect(acquireLabLock(folder, '/s')).toMatchObject({ term: 6 })
})
