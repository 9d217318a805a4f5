import { HaError } from '@ha/core'
import { describe, expect, it } from 'vitest'
import { ConnectionError, classify, TooLargeError } from '../../src/connection/error-classification.ts'
import { ZookeeperError } from '../../src/errors.ts'
import { MalformedError, ReplyError } from '../../src/protocol/error-codes.ts'

const no = (code: number): ReplyError => new ReplyError(code, { request: 'create', path: '/a' })

describe('what an error means', () => {
  it.each<[string, unknown, string, string, boolean]>([
    ['there is no node', no(-101), 'call', 'none', false],
    ['a code that nobody knows', no(-999), 'call', 'none', false],
    ['the session has ended', no(-112), 'connection', 'none', true],
    ['the session has moved', no(-118), 'connection', 'none', true],
    ['the credentials were refused', no(-115), 'endpoint', 'none', false],
    ['the server has lost its quorum', no(-119), 'endpoint', 'none', true],
    ['the server took too long', no(-122), 'call', 'unknown', true],
    ['the server is overloaded', no(-127), 'call', 'none', true],
    ['the server failed', no(-1), 'call', 'unknown', false],
    ['the answer was lost', new ConnectionError('lost', 'create'), 'endpoint', 'unknown', true],
    ['the connection was over before', new ConnectionError('over', 'create'), 'connection', 'none', true],
    ['too much was under way', new ConnectionError('full', 'create'), 'call', 'none', true],
    ['the request was too large', new TooLargeError('request', 'create', 9, 8), 'call', 'none', false],
    ['the answer was too large', new TooLargeError('reply', 'multi', 9, 8), 'call', 'unknown', false],
    ['the yes could not be read', new MalformedError('short'), 'call', 'unknown', false],
    ['the server said nothing', new HaError('unresponsive', ''), 'endpoint', 'unknown', true],
    ['the connection ended', new HaError('lost', ''), 'endpoint', 'unknown', true],
    ['the server was not reached', new HaError('unreachable', ''), 'endpoint', 'none', true],
    ['the certificate is wrong', new HaError('refused', ''), 'cluster', 'none', false],
    [
      'the session that was asked for is over',
      new ZookeeperError('session-lost', ''),
      'connection',
      'none',
      true,
    ],
    ['a login was refused in the dial', new ZookeeperError('auth-failed', ''), 'endpoint', 'none', false],
    ['the path is none', new ZookeeperError('invalid-path', ''), 'call', 'none', false],
    ['nobody listens there', Object.assign(new Error(), { code: 'ECONNREFUSED' }), 'endpoint', 'none', true],
    [
      'the connection was reset',
      Object.assign(new Error(), { code: 'ECONNRESET' }),
      'endpoint',
      'unknown',
      true,
    ],
    ['something else', new Error('odd'), 'call', 'unknown', true],
  ])('when %s', (_, error, scope, effect, transient) => {
    expect(classify(error)).toEqual({ scope, effect, transient })
  })
})
