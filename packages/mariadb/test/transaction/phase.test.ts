import { describe, expect, it } from 'vitest'
import { DriverError, type Stage } from '../../src/driver/error-classification.ts'
import { commitVerdict, endsTransaction } from '../../src/transaction/transaction.ts'

function said(errno: number, stage: Stage = 'answered'): DriverError {
  return new DriverError('db1:3306: no', { stage, errno })
}

describe('a statement that fails', () => {
  it.each([1020, 1047, 1053, 1205, 1213, 1290, 1317, 1836, 1927, 45_021])(
    'with %i ends its transaction',
    (errno) => {
      expect(endsTransaction(said(errno))).toBe(true)
    },
  )

  it.each([1062, 1064, 1146, 1406, 1452])('with %i leaves its transaction to go on', (errno) => {
    expect(endsTransaction(said(errno))).toBe(false)
  })

  it('without an answer ends it', () => {
    expect(endsTransaction(said(45_009, 'lost'))).toBe(true)
  })
})

describe('a COMMIT that fails', () => {
  it.each([1020, 1213, 1290, 1836])('with %i has certainly not committed', (errno) => {
    expect(commitVerdict(said(errno)).effect).toBe('none')
  })

  it('that was never sent has certainly not committed', () => {
    expect(commitVerdict(said(45_013, 'unsent')).effect).toBe('none')
  })

  it.each([1047, 1053, 1180, 1205, 1317, 1927, 9_999])('with %i may have committed', (errno) => {
    expect(commitVerdict(said(errno)).effect).toBe('unknown')
  })

  it('without an answer may have committed', () => {
    expect(commitVerdict(said(45_009, 'lost')).effect).toBe('unknown')
  })
})
