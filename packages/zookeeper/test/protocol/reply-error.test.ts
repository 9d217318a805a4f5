import { describe, expect, it } from 'vitest'
import { ReplyError, replyCodes } from '../../src/protocol/error-codes.ts'

describe("a server's no", () => {
  it('says what, where, and in whose words', () => {
    const error = new ReplyError(-101, { request: 'getData', path: '/a' })
    expect(error.message).toBe('getData /a: the node does not exist (NONODE -101)')
  })

  it('keeps a number that nobody knows', () => {
    const error = new ReplyError(-999, { request: 'multi', path: '/a', index: 2 })
    expect(error).toMatchObject({ code: -999, symbol: undefined, index: 2 })
    expect(error.message).toBe('multi /a: the server refused the request (unknown code -999)')
  })

  it.each([-118, -119, -121, -122, -124, -125, -127])(
    'knows %i, which ends a process with the bare driver',
    (code) => {
      expect(replyCodes.get(code)?.symbol).toMatch(/^[A-Z]+$/)
    },
  )
})
