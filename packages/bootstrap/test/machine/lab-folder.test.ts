import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  findPlan,
  labFolder,
  labNames,
  labsHome,
  leftoverNames,
  prepareSocketFolder,
  socketPath,
} from '../../src/machine/lab-folder.ts'

let home: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hactl-folder-'))
})
afterEach(() => {
  rmSync(home, { recursive: true })
})

const leave = (name: string, plan?: string): void => {
  mkdirSync(labFolder(home, name), { recursive: true })
  if (plan !== undefined) writeFileSync(join(labFolder(home, name), 'plan.json'), plan)
}

test('labs are kept where the caller says, else HACTL_HOME, else the state folder, else the home', () => {
  const environment = { HACTL_HOME: '/b', XDG_STATE_HOME: '/c' }

  expect(labsHome('/a', environment)).toBe('/a')
  expect(labsHome(undefined, environment)).toBe('/b')
  expect(labsHome(undefined, { XDG_STATE_HOME: '/c' })).toBe('/c/hactl')
  expect(labsHome(undefined, {})).toBe(`${homedir()}/.local/state/hactl`)
})

test('a short folder holds its own socket', () => {
  expect(socketPath('/labs/a', 0)).toBe('/labs/a/control.sock')
})

test('no folder makes a socket path that the kernel refuses', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 300 }), (name) => {
      expect(Buffer.byteLength(socketPath(`/labs/${name}`, 1000))).toBeLessThanOrEqual(107)
    }),
  )
})

test('two long folders have two sockets', () => {
  const long = '/labs/'.padEnd(200, 'x')

  expect(socketPath(`${long}1`, 1000)).not.toBe(socketPath(`${long}2`, 1000))
})

test('a variable that is empty counts as none', () => {
  expect(labsHome(undefined, { HACTL_HOME: '', XDG_STATE_HOME: '/c' })).toBe('/c/hactl')
  expect(labsHome(undefined, { HACTL_HOME: '', XDG_STATE_HOME: '' })).toBe(`${homedir()}/.local/state/hactl`)
})

test('a path that depends on the current folder is refused, whoever gives it', () => {
  expect(() => labsHome('labs', {})).toThrow("home: expected an absolute path, got 'labs'")
  expect(() => labsHome('', {})).toThrow("home: expected an absolute path, got ''")
  expect(() => labsHome(undefined, { HACTL_HOME: 'labs' })).toThrow('HACTL_HOME: expected an absolute path')
  expect(() => labsHome(undefined, { XDG_STATE_HOME: './x' })).toThrow('XDG_STATE_HOME: expected an absolute')
})

test('only what has a name and a plan is a lab; what has no plan that can be read is a leftover', () => {
  leave('shop', '{"schema":"ha-plan/v1"}')
  leave('.rabbitmq.AbCdEf', '{"schema":"ha-plan/v1"}')
  leave('cut', '{"schema":"ha-pl')
  leave('empty')

  expect(labNames(home)).toEqual(['shop'])
  expect(leftoverNames(home)).toEqual(['cut', 'empty'])
  expect(findPlan(labFolder(home, 'cut'))).toBeUndefined()
})

test('without a folder there are no labs', () => {
  expect([labNames(home), leftoverNames(home)]).toEqual([[], []])
})

test('a folder for sockets is made for its owner alone', () => {
  const path = join(home, 'sockets')
  const uid = process.getuid?.() ?? 0

  prepareSocketFolder(path, uid)

  expect(() => prepareSocketFolder(path, uid)).not.toThrow()
  expect(() => prepareSocketFolder(path, uid + 1)).toThrow('belongs to another user')
})

test('neither a link nor a folder that is open to others can hold sockets', () => {
  const uid = process.getuid?.() ?? 0
  mkdirSync(join(home, 'theirs'), { mode: 0o700 })
  symlinkSync(join(home, 'theirs'), join(home, 'link'))
  mkdirSync(join(home, 'open'), { mode: 0o755 })

  expect(() => prepareSocketFolder(join(home, 'link'), uid)).toThrow('link is not a folder; run: rm -r')
  expect(() => prepareSocketFolder(join(home, 'open'), uid)).toThrow('is open to other users')
})
