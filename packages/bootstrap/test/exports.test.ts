import * as bootstrap from '@ha/bootstrap'
import { expect, test } from 'vitest'

test('what the package exports is a promise', () => {
  expect(Object.keys(bootstrap).sort()).toEqual([
    'bootstrapCodes',
    'doctor',
    'findLabs',
    'installServers',
    'openLab',
    'startLab',
  ])
})

test('every code says what it means and what to do', () => {
  for (const [code, entry] of Object.entries(bootstrap.bootstrapCodes)) {
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/)
    expect(entry.meaning).toMatch(/\.$/)
    expect(entry.action).toMatch(/[.`]$/)
  }
})
