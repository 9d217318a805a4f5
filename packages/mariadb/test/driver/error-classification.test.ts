import { HaError } from '@ha/core'
import { SqlError } from 'mariadb'
import { describe, expect, test } from 'vitest'
import {
  classify,
  classifyCommit,
  DriverError,
  isRefusedLogin,
  type Stage,
  toDriverError,
} from '../../src/driver/error-classification.ts'

function said(errno: number, stage: Stage = 'answered'): DriverError {
  return new DriverError('db1:3306: no', { stage, errno })
}

describe('an answer of the server', () => {
  test.each([
    [1213, 'call', 'none', true],
    [1020, 'call', 'none', true],
    [1205, 'call', 'none', true],
    [1153, 'connection', 'none', false],
    [1317, 'call', 'none', false],
    [1047, 'endpoint', 'none', true],
    [1040, 'call', 'none', true],
    [1203, 'call', 'none', true],
    [1226, 'call', 'none', true],
    [1290, 'endpoint', 'none', true],
    [1836, 'endpoint', 'none', true],
    [1053, 'endpoint', 'unknown', true],
    [1180, 'call', 'unknown', true],
    [1927, 'connection', 'unknown', true],
    [1969, 'call', 'none', false],
    [1792, 'call', 'none', false],
    [4031, 'call', 'none', false],
    [1062, 'call', 'none', false],
    [1064, 'call', 'none', false],
    [1146, 'call', 'none', false],
  ] as const)('%i: %s, effect %s, transient %s', (errno, scope, effect, transient) => {
    expect(classify(said(errno))).toEqual({ scope, effect, transient })
  })

  test.each([1053, 1180, 1317, 1927, 1969])('%i to a COMMIT leaves open whether it happened', (errno) => {
    expect(classifyCommit(said(errno)).effect).toBe('unknown')
  })

  test('1213 to a COMMIT is a failed certification: nothing happened', () => {
    expect(classifyCommit(said(1213)).effect).toBe('none')
  })
})

describe('a statement without an answer', () => {
  test('is unknown when its connection was lost, and the server is to be looked at', () => {
    expect(classify(said(45_009, 'lost'))).toEqual({ scope: 'endpoint', effect: 'unknown', transient: true })
  })

  test('had no effect when it was not sent, and goes elsewhere when the connection was over', () => {
    const over = new DriverError('over', { stage: 'unsent', cause: new HaError('lost', 'over') })
    expect(classify(over)).toEqual({ scope: 'endpoint', effect: 'none', transient: true })
    expect(classify(said(45_013, 'unsent'))).toEqual({ scope: 'endpoint', effect: 'none', transient: true })
  })

  test('is the caller’s mistake when its arguments cannot be written', () => {
    expect(classify(said(45_016, 'unsent'))).toEqual({ scope: 'call', effect: 'none', transient: false })
  })

  test('was done when its answer could not be read', () => {
    expect(classify(said(45_040, 'unread'))).toEqual({ scope: 'call', effect: 'unknown', transient: false })
  })
})

describe('a file of this machine that a server asks for', () => {
  const asked = 'Cannot send local file when `permitLocalInfile` option is disabled.'
  const error = toDriverError(
    new SqlError(asked, "LOAD DATA LOCAL INFILE 'people.csv'", false, undefined, 'HY000', 45_021),
  )

  test.each([classify, classifyCommit])(
    'is not sent: nothing was loaded, and the connection ends',
    (verdict) => {
      expect(verdict(error)).toEqual({ scope: 'connection', effect: 'none', transient: false })
    },
  )

  test('is refused in words of this package, without the statement', () => {
    expect(error.message).toMatch(/^ER_LOCAL_INFILE_DISABLED: LOAD DATA LOCAL is refused/)
    expect(error.message).not.toMatch(/permitLocalInfile|people/)
  })
})

describe('an error of our own', () => {
  test('says that a server is full, not down', () => {
    const full = new HaError('unreachable', 'db1:3306: Too many connections', { serverCode: 1040 })
    expect(classify(full)).toEqual({ scope: 'call', effect: 'none', transient: true })
  })

  test.each([
    ['unreachable', 'endpoint', true],
    ['refused', 'cluster', false],
  ] as const)('%s concerns the %s', (code, scope, transient) => {
    expect(classify(new HaError(code, 'no'))).toEqual({ scope, effect: 'none', transient })
  })

  test.each([1044, 1045, 1049, 1130, 1524, 1698])('%i refuses a login on every server', (serverCode) => {
    expect(isRefusedLogin(new HaError('unreachable', 'no', { serverCode }))).toBe(true)
  })

  test('1040 refuses none for ever', () => {
    expect(isRefusedLogin(new HaError('unreachable', 'no', { serverCode: 1040 }))).toBe(false)
  })
})
