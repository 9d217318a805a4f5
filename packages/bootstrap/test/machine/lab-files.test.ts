import { chmodSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkSecrets, writeLabFiles } from '../../src/machine/lab-folder.ts'
import type { PlannedFile } from '../../src/model/plan.ts'

const secret: PlannedFile = {
  path: 'home/.cookie',
  mode: 0o400,
  secret: true,
  content: { kind: 'random', length: 20 },
}
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-files-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

test('text, secrets and links are written with their modes', () => {
  writeLabFiles({
    folder,
    files: [
      secret,
      { path: 'a/b.conf', mode: 0o600, secret: false, content: { kind: 'text', text: 'x\n' } },
      { path: 'c', mode: 0o777, secret: false, content: { kind: 'link', target: '/etc' } },
    ],
  })

  expect(readFileSync(join(folder, 'a/b.conf'), 'utf8')).toBe('x\n')
  expect(readFileSync(join(folder, 'home/.cookie'), 'utf8')).toMatch(/^[A-Z]{20}$/)
  expect(statSync(join(folder, 'home/.cookie')).mode & 0o777).toBe(0o400)
  expect(readlinkSync(join(folder, 'c'))).toBe('/etc')
})

test('a secret that others can read is named with its mode and the command that mends it', () => {
  writeLabFiles({ folder, files: [secret] })
  const path = join(folder, 'home/.cookie')
  chmodSync(path, 0o444)

  expect(() => checkSecrets({ folder, files: [secret] })).toThrow(
    `${path} has mode 0444, so other users can read the secret; run: chmod 0400 ${path}`,
  )
})

test('a secret for its owner alone passes, and one that is gone does not', () => {
  writeLabFiles({ folder, files: [secret] })

  expect(() => checkSecrets({ folder, files: [secret] })).not.toThrow()
  rmSync(join(folder, 'home/.cookie'))
  expect(() => checkSecrets({ folder, files: [secret] })).toThrow('is missing')
})
