import { existsSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  createLabsHome,
  homeLinkOf,
  labFolder,
  labNames,
  labsHome,
  removeLabFolder,
  restoreHomeLink,
} from '../../src/machine/lab-folder.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hactl-home-'))
})
afterEach(() => {
  rmSync(root, { recursive: true })
})

const strange = [
  'jürgen',
  'ju\u0308rgen',
  'my labs',
  ' ',
  'c#',
  "o'neil",
  'say "hi"',
  'a\\b',
  'us$er',
  '50%25',
  '🙂',
  'two\nlines',
  'a:b',
  'a;b',
  '~x',
]

test.each(strange)('a home named %j is reached by a path that every program reads alike', (name) => {
  const home = createLabsHome(join(root, name))

  expect(home).toMatch(/^[A-Za-z0-9._/-]+$/)
  mkdirSync(labFolder(home, 'shop'))
  writeFileSync(join(labFolder(home, 'shop'), 'plan.json'), '{"schema":"ha-plan/v1"}')
  expect(existsSync(join(root, name, 'labs/shop/plan.json'))).toBe(true)
  expect(labNames(labsHome(join(root, name)))).toEqual(['shop'])

  removeLabFolder(labFolder(home, 'shop'))

  expect(existsSync(home)).toBe(false)
  expect(readdirSync(join(root, name, 'labs'))).toEqual([])
})

test('a home below a folder that takes no folders is refused at once', () => {
  expect(() => createLabsHome('/proc/hactl')).toThrow(
    "labs cannot be kept in '/proc/hactl': a part of the path does not exist and cannot be created",
  )
})

test('a home whose labs cannot be listed is named', () => {
  writeFileSync(join(root, 'labs'), '')

  expect(() => labNames(root)).toThrow(`the labs in '${root}' cannot be read: a part of the path is a file`)
})

test('an ordinary home has no second path', () => {
  const home = join(root, 'alice-1.x_y')

  expect(createLabsHome(home)).toBe(home)
  expect(homeLinkOf(labFolder(home, 'shop'))).toBeUndefined()
})

test('a link that was removed with other temporary files is created by the next command', () => {
  const home = createLabsHome(join(root, 'jürgen'))
  mkdirSync(labFolder(home, 'shop'))
  const link = homeLinkOf(labFolder(home, 'shop'))
  rmSync(home)

  expect(labsHome(join(root, 'jürgen'))).toBe(home)
  expect(readlinkSync(home)).toBe(join(root, 'jürgen'))

  rmSync(home)
  if (link !== undefined) restoreHomeLink(link)
  expect(readlinkSync(home)).toBe(join(root, 'jürgen'))
  removeLabFolder(labFolder(home, 'shop'))
})

test('looking for labs creates nothing', () => {
  const home = labsHome(join(root, 'nobody’s'))

  expect(labNames(home)).toEqual([])
  expect(existsSync(home)).toBe(false)
  expect(readdirSync(root)).toEqual([])
})

test.each([
  ['file/home', 'a part of the path is a file'],
  [`${'long'.repeat(80)}/home`, 'the path is too long'],
])('a home that cannot be created is refused by name: %#', (name, because) => {
  writeFileSync(join(root, 'file'), '')
  const home = join(root, name)

  expect(() => createLabsHome(home)).toThrow(
    `labs cannot be kept in '${home}': ${because}; set HACTL_HOME to a folder that this user can write`,
  )
})

test('HOME must be absolute like every other folder', () => {
  expect(() => labsHome(undefined, { HOME: 'relative' })).toThrow(
    "HOME: expected an absolute path, got 'relative'",
  )
  expect(dirname(labsHome(undefined, { HOME: root }))).toBe(join(root, '.local/state'))
})
