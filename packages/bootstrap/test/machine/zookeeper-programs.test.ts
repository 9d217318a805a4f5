import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findZookeeper } from '../../src/machine/installations.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hactl-zookeeper-'))
  for (const folder of ['home/lib', 'bin']) mkdirSync(join(root, folder), { recursive: true })
  for (const jar of ['netty-4.1.jar', 'zookeeper-jute-3.9.2.jar', 'zookeeper-3.9.2.jar']) {
    writeFileSync(join(root, 'home/lib', jar), '')
  }
  writeFileSync(join(root, 'bin/java'), '')
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

test('ZOOKEEPER_HOME is asked first, and the jar says the version', () => {
  const search = findZookeeper({ ZOOKEEPER_HOME: join(root, 'home'), PATH: join(root, 'bin') })

  expect(search).toEqual({
    kind: 'found',
    installation: {
      version: '3.9.2',
      java: join(root, 'bin/java'),
      classPath: [join(root, 'home/lib/*')],
    },
  })
})

test('JAVA_HOME goes before the search path', () => {
  const search = findZookeeper({ ZOOKEEPER_HOME: join(root, 'home'), JAVA_HOME: root, PATH: '/nowhere' })

  expect(search).toMatchObject({ installation: { java: join(root, 'bin/java') } })
})
