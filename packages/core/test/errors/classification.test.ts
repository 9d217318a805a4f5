import { coreCodes, HaError } from '@ha/core'
import { classifier, verdicts, verdictTable, wrapError } from '@ha/core/driver'
import { describe, expect, it } from 'vitest'

const byServerCode = verdictTable({ 320: verdicts.elsewhere, 404: verdicts.final }, verdicts.uncertain, [
  { code: 404, text: /home node/, verdict: verdicts.later },
])

describe('a table of verdicts', () => {
  it.each([
    [404, undefined, 'final'],
    ['404', 'no queue', 'final'],
    [404, 'home node is down', 'later'],
    [320, 'home node is down', 'elsewhere'],
    [999, undefined, 'uncertain'],
    [undefined, 'home node', 'uncertain'],
  ] as const)('judges %s %s as %s', (code, text, verdict) =>
    expect(byServerCode(code, text)).toBe(verdicts[verdict]),
  )
})

describe('a classifier', () => {
  const classify = classifier({
    codes: { stalled: verdicts.endpointLost, lost: verdicts.reconnect },
    serverCode: (code, error) => (error.code === 'refused' ? byServerCode(code) : undefined),
    foreign: (error) => (error instanceof TypeError ? verdicts.final : undefined),
  })
  it.each([
    ['a code of core', new HaError('unreachable', ''), 'elsewhere'],
    ['a code of the client', new HaError('stalled', ''), 'endpointLost'],
    ['a code of core that the client judges otherwise', new HaError('lost', ''), 'reconnect'],
    ['a server code', new HaError('refused', '', { serverCode: 320 }), 'elsewhere'],
    ['a server code that decides nothing', new HaError('unreachable', '', { serverCode: 320 }), 'elsewhere'],
    ['an error of the driver', new TypeError('x'), 'final'],
    ['an unknown error', new Error('x'), 'uncertain'],
    ['an unknown code', new HaError('new-code', ''), 'uncertain'],
  ] as const)('judges %s', (_, error, verdict) => expect(classify(error)).toBe(verdicts[verdict]))

  it('has a verdict for every code of core', () => {
    const plain = classifier({})
    const judged = Object.keys(coreCodes).map((code) => [code, plain(new HaError(code, ''))])
    expect(judged).toMatchSnapshot()
  })
})

describe('wrapError', () => {
  class ClientError extends HaError {}
  const mapping = {
    type: ClientError,
    fromCore: (error: HaError, details: object) =>
      new ClientError(error.code, `client: ${error.message}`, details),
    fromForeign: (cause: Error) => new ClientError('internal', cause.message, { cause }),
  }

  it('keeps outcome, endpoint, attempts and cause', () => {
    const cause = new Error('driver')
    const attempts = [{ endpoint: 'n1:1', error: cause }]
    const details = {
      outcome: 'unknown',
      retryable: true,
      endpoint: 'n1:1',
      serverCode: 7,
      attempts,
      cause,
    } as const
    const wrapped = wrapError(new HaError('lost', 'over', details), mapping)
    expect(wrapped).toBeInstanceOf(ClientError)
    expect(wrapped).toMatchObject({ ...details, code: 'lost', message: 'client: over' })
  })

  it('keeps the error of core as the cause when it has none of its own', () => {
    const error = new HaError('closed', 'over')
    expect(wrapError(error, mapping).cause).toBe(error)
  })

  it('passes an error of the client, and maps any other', () => {
    const own = new ClientError('lost', 'over')
    expect(wrapError(own, mapping)).toBe(own)
    expect(wrapError('text', mapping)).toMatchObject({ code: 'internal', message: 'text' })
  })
})
