import { homedir } from 'node:os'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { labsHome, socketPath } from '../../src/machine/lab-folder.ts'

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
