import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { clientsFile, findNetwork, ownNamespace } from '../../src/sandbox/sandbox.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-network-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

test('without a sandbox, labs are on the loopback interface', () => {
  expect(findNetwork({})).toEqual({ kind: 'loopback' })
})

test('in a sandbox, labs are in it', () => {
  writeFileSync(clientsFile(folder), ownNamespace())

  expect(findNetwork({ HACTL_SANDBOX: folder })).toEqual({ kind: 'sandbox', folder })
})

test('a variable that left its sandbox is no sandbox', () => {
  writeFileSync(clientsFile(folder), 'net:[1]')

  expect(() => findNetwork({ HACTL_SANDBOX: folder })).toThrow('run: unset HACTL_SANDBOX')
})
