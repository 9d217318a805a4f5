import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findRabbit } from '../../src/machine/installations.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hactl-programs-'))
  for (const folder of ['home/sbin', 'home/escript', 'home/plugins/rabbit-4.1.2', 'bin']) {
    mkdirSync(join(root, folder), { recursive: true })
  }
  writeFileSync(join(root, 'home/sbin/rabbitmq-server'), '')
  for (const program of ['erl', 'epmd', 'erl_call']) writeFileSync(join(root, 'bin', program), '')
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

test('RABBITMQ_HOME is asked first, and the version is read from the server’s own application', () => {
  const search = findRabbit({ RABBITMQ_HOME: join(root, 'home'), PATH: join(root, 'bin') })

  expect(search).toMatchObject({
    kind: 'found',
    installation: { version: '4.1.2', home: join(root, 'home'), erlCall: join(root, 'bin/erl_call') },
  })
})

test('a link on the search path leads to the private folder of a package', () => {
  symlinkSync(join(root, 'home/sbin/rabbitmq-server'), join(root, 'bin/rabbitmq-server'))

  const search = findRabbit({ PATH: join(root, 'bin') })

  expect(search).toMatchObject({ kind: 'found', installation: { home: join(root, 'home') } })
})

test('what is missing is named, and whether the server itself is there', () => {
  rmSync(join(root, 'bin/erl'))

  const search = findRabbit({ RABBITMQ_HOME: join(root, 'home'), PATH: join(root, 'bin') })

  expect(search).toEqual({ kind: 'missing', programs: ['erl'], home: join(root, 'home') })
})
