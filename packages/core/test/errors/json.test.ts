import { describe, expect, test } from 'vitest'
import { asError, detachStack, HaError } from '../../src/errors/ha-error.ts'

const written = (value: unknown): Record<string, unknown> => JSON.parse(JSON.stringify(value))

describe('an error in a structured log', () => {
  test('keeps its message, its code, its outcome and its causes', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5672'), {
      code: 'ECONNREFUSED',
      port: 5672,
    })
    const cause = new HaError('unreachable', 'no server', { cause: refused, endpoint: 'a:5672' })
    const error = new HaError('timed-out', 'not sent within 5 ms', { outcome: 'not-done', cause })

    expect(written({ error })['error']).toMatchObject({
      name: 'HaError',
      message: 'not sent within 5 ms',
      code: 'timed-out',
      outcome: 'not-done',
      cause: {
        message: 'no server',
        endpoint: 'a:5672',
        cause: { message: 'connect ECONNREFUSED 127.0.0.1:5672', code: 'ECONNREFUSED', port: 5672 },
      },
    })
  })

  test('keeps what each endpoint answered', () => {
    const attempts = [{ endpoint: 'a:1', error: new Error('no route') }]

    expect(written(new HaError('unreachable', 'none', { attempts }))).toMatchObject({
      attempts: [{ endpoint: 'a:1', error: { name: 'Error', message: 'no route' } }],
    })
  })

  test('keeps the errors of an AggregateError', () => {
    const cause = new AggregateError(
      [new Error('::1 refused'), new Error('127.0.0.1 refused')],
      'all refused',
    )

    expect(written(new HaError('unreachable', 'none', { cause }))).toMatchObject({
      cause: {
        message: 'all refused',
        errors: [{ message: '::1 refused' }, { message: '127.0.0.1 refused' }],
      },
    })
  })

  test('ends with causes that lie deep or in a cycle', () => {
    const first = new Error('first')
    first.cause = new Error('second', { cause: first })

    expect(JSON.stringify(new HaError('internal', 'cycle', { cause: first })).length).toBeLessThan(1_000)
  })

  test('ends with a field that contains itself', () => {
    class Placed extends HaError {
      readonly place: Record<string, unknown> = { shard: 7 }
    }
    const error = new Placed('rejected', 'no')
    error.place['self'] = error.place

    expect(written(error)).toMatchObject({ message: 'no', place: { shard: 7 } })
    expect(JSON.stringify(error).length).toBeLessThan(1_000)
  })

  test('holds a bounded number of the errors of an AggregateError', () => {
    const cause = new AggregateError(
      Array.from({ length: 10_000 }, (_, i) => new Error(`address ${i}`)),
      'all refused',
    )

    const text = JSON.stringify(new HaError('unreachable', 'none', { cause }))

    expect(text).toContain('address 0')
    expect(text.length).toBeLessThan(10_000)
  })

  test('is written when what was thrown has no text', () => {
    const cause: unknown = Object.create(null)

    expect(written(new HaError('internal', 'thrown', { cause }))).toMatchObject({ message: 'thrown' })
    expect(asError(cause).message).toBe('[object Object]')
  })

  test('keeps the time in a date', () => {
    class Dated extends HaError {
      readonly at = new Date(0)
    }

    expect(written(new Dated('rejected', 'no'))).toMatchObject({ at: '1970-01-01T00:00:00.000Z' })
  })

  test('holds big integers as text', () => {
    class Numbered extends HaError {
      readonly token = 2n ** 60n
    }

    expect(written(new Numbered('rejected', 'no'))).toMatchObject({ token: '1152921504606846976' })
  })

  test('holds nothing of a foreign error but its message and codes: a driver may keep the statement in it', () => {
    const cause = Object.assign(new Error('syntax'), { sql: "SELECT 'secret'", errno: 1064 })

    const text = JSON.stringify(new HaError('rejected', 'no', { cause }))

    expect(text).toContain('1064')
    expect(text).not.toContain('secret')
  })
})

describe('a cause that cannot be read', () => {
  const { proxy: revoked, revoke } = Proxy.revocable({}, {})
  revoke()
  const throwing = (): never => {
    throw new Error('evil')
  }
  test.each<[string, unknown]>([
    ['a proxy that was revoked', revoked],
    ['a proxy whose traps throw', new Proxy({}, { get: throwing, getPrototypeOf: throwing })],
    [
      'an error whose message is a getter that throws',
      Object.defineProperty(new Error('x'), 'message', { get: throwing }),
    ],
    [
      'an error whose cause is a getter that throws',
      Object.defineProperty(new Error('x'), 'cause', { get: throwing }),
    ],
    ['an object without a text', { toString: throwing, [Symbol.toPrimitive]: throwing }],
  ])('costs the error nothing else: %s', (_, cause) => {
    const error = new HaError('lost', 'the connection ended', {
      cause,
      attempts: [{ endpoint: 'n1:1', error: cause as Error }],
    })
    expect(written(detachStack(error))).toMatchObject({ code: 'lost', message: 'the connection ended' })
    expect(asError(cause)).toBeInstanceOf(Error)
  })
})
