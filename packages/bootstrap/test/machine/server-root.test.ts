import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findRabbit, findZookeeper } from '../../src/machine/installations.ts'
import {
  argvInRoot,
  openServerRoot,
  planForRoot,
  readInRoot,
  resolveInRoot,
  rootSearchPath,
} from '../../src/machine/server-root.ts'
import { resolveZookeeper } from '../../src/zookeeper/model.ts'
import { planZookeeper } from '../../src/zookeeper/plan.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hactl-root-'))
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

const file = (path: string, text = ''): void => {
  mkdirSync(join(root, path, '..'), { recursive: true })
  writeFileSync(join(root, path), text)
  chmodSync(join(root, path), 0o755)
}
const link = (path: string, target: string): void => {
  mkdirSync(join(root, path, '..'), { recursive: true })
  symlinkSync(target, join(root, path))
}
const system = (): void => {
  for (const program of ['usr/bin/sh', 'usr/bin/env', 'usr/bin/setpriv']) file(program)
  link('bin', 'usr/bin')
}

test('an absolute link inside of a root stays inside of it', () => {
  file('usr/lib/jvm/java-25/bin/java')
  link('etc/alternatives/java', '/usr/lib/jvm/java-25/bin/java')
  link('usr/bin/java', '/etc/alternatives/java')

  expect(resolveInRoot(root, '/usr/bin/java')).toBe('/usr/lib/jvm/java-25/bin/java')
})

test('a relative link that climbs above the root ends in the root', () => {
  file('etc/hosts', '127.0.0.1 localhost')
  link('usr/hosts', '../../../../etc/hosts')

  expect(readInRoot(root, '/usr/hosts')).toBe('127.0.0.1 localhost')
})

test('a link to itself and a missing file are not found', () => {
  link('loop', 'loop')

  expect([resolveInRoot(root, '/loop'), resolveInRoot(root, '/none')]).toEqual([undefined, undefined])
})

test('servers are found in the root, at their paths inside of it', () => {
  const home = 'usr/lib/rabbitmq/lib/rabbitmq_server-4.3.6'
  for (const path of [`${home}/sbin/rabbitmq-server`, `${home}/escript/x`, `${home}/plugins/rabbit-4.3.6.ez`])
    file(path)
  for (const program of ['erl', 'epmd', 'erl_call']) file(`usr/lib/erlang/bin/${program}`)
  link('usr/bin/erl', '../lib/erlang/bin/erl')
  file('usr/share/java/zookeeper-3.9.6.jar')
  file('usr/bin/java')

  const environment = { PATH: rootSearchPath }

  expect(findRabbit(environment, root)).toMatchObject({
    kind: 'found',
    installation: { version: '4.3.6', home: `/${home}`, epmd: '/usr/lib/erlang/bin/epmd' },
  })
  expect(findZookeeper(environment, root)).toMatchObject({
    kind: 'found',
    installation: { version: '3.9.6', java: '/usr/bin/java' },
  })
})

test('without a given root and HACTL_ROOT, the servers are those of this machine', () => {
  expect([openServerRoot(undefined, {}), openServerRoot('/', {})]).toEqual(['', ''])
})

test('HACTL_ROOT is the default, and a given root precedes it', () => {
  system()

  expect(openServerRoot(undefined, { HACTL_ROOT: `${root}/` })).toBe(root)
  expect(openServerRoot(root, { HACTL_ROOT: '/nowhere' })).toBe(root)
})

test.each([
  ['a relative path', 'roots/forky', /^root: expected an absolute path, got 'roots\/forky'/],
  ['an empty path', '', /^root: expected an absolute path, got ''/],
  ['a folder that does not exist', '/nowhere', /\/nowhere is not the root of a system, it has no \/bin\/sh/],
])('%s is no root', (_, path, message) => {
  expect(() => openServerRoot(path, {})).toThrow(
    expect.objectContaining({ code: 'config-invalid', message: expect.stringMatching(message) }),
  )
})

test('a command enters the root in a mount namespace, with its arguments as they are', () => {
  const argv = argvInRoot(root, ['/labs/a b'], ['java', "it's", ''], 0)

  expect(argv.slice(0, 5)).toEqual(['unshare', '--mount', '--', 'sh', '-c'])
  expect(argv.slice(6)).toEqual(['sh', root, '/labs/a b', '--', 'java', "it's", ''])
  expect(argvInRoot(root, [], ['java'], 1000)).toContain('--map-current-user')
  expect(argvInRoot('', [], ['java'])).toEqual(['java'])
})

test('every process and every command of a plan runs inside of the root', () => {
  file('etc/os-release', 'PRETTY_NAME="Debian GNU/Linux forky/sid"\n')
  const installation = {
    version: '3.9.6',
    java: '/usr/bin/java',
    classPath: ['/usr/share/java/zookeeper.jar'],
  }
  const network = { kind: 'loopback' } as const
  const deployment = { lab: 'zookeeper', folder: '/labs/zookeeper', firstPort: 21000, network, installation }
  const plan = planZookeeper(resolveZookeeper({ kind: 'zookeeper' }, deployment))

  const inside = planForRoot(plan, root, [plan.folder])

  const commands = inside.nodes.flatMap(({ ask, ctl }) => [ask, ctl])
  expect(commands.map((command) => command?.argv[0])).toEqual(Array(6).fill('unshare'))
  expect(inside.processes.map(({ argv }) => argv[argv.indexOf('--', 3) + 1])).toEqual(Array(3).fill('env'))
  expect(inside.notes).toContain(`The servers are those of ${root}: Debian GNU/Linux forky/sid.`)
})

test('a folder of the search path that cannot be looked into has no programs', () => {
  expect(resolveInRoot('', `/tmp/${'long'.repeat(80)}/erl`)).toBeUndefined()
})
