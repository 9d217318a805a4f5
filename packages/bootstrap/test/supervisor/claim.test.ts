import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { identify } from '../../src/machine/process-table.ts'
import { claimLab, currentClaim, isHeld } from '../../src/supervisor/claim.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-claim-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const leaveClaim = (term: number, startTicks: string): void => {
  const supervisor = { ...identify(process.pid), startTicks }
  mkdirSync(join(folder, 'supervisor'), { recursive: true })
  writeFileSync(
    join(folder, 'supervisor', String(term)),
    JSON.stringify({ term, supervisor, socket: '/old' }),
  )
}

test('the first claim opens the first term', () => {
  expect(claimLab(folder, '/s')).toMatchObject({ term: 1, socket: '/s', supervisor: { pid: process.pid } })
  expect(isHeld(currentClaim(folder))).toBe(true)
})

test('a lab that somebody holds cannot be claimed', () => {
  claimLab(folder, '/s')

  expect(claimLab(folder, '/other')).toBeUndefined()
  expect(currentClaim(folder)?.socket).toBe('/s')
})

test('a dead holder is followed by the next term, though its pid came back', () => {
  leaveClaim(9, '1')

  expect(claimLab(folder, '/s')).toMatchObject({ term: 10 })
  expect(currentClaim(folder)?.term).toBe(10)
})

test('a lab that nobody claimed is not held', () => {
  expect(isHeld(currentClaim(folder))).toBe(false)
})

test('a claim that was cut short is held by nobody and followed by the next term', () => {
  leaveClaim(4, '1')
  writeFileSync(join(folder, 'supervisor', '5'), '{"term":5,')

  expect(currentClaim(folder)).toBeUndefined()
  expect(claimLab(folder, '/s')).toMatchObject({ term: 6 })
})
