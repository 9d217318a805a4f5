import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { encodeArgs } from '../../src/driver/codec.ts'
import { utc } from '../../src/driver/dates.ts'
import type { Args, Statement } from '../../src/driver/statement.ts'

function encoded(args: Args, kind: Statement['kind'] = 'text'): unknown {
  return encodeArgs({ sql: 'SELECT ?', args, kind }, utc)
}

describe('arguments', () => {
  test('pass through where the driver writes them rightly', () => {
    const values = ['a', 1.5, true, null, undefined, 2n ** 63n, Buffer.from('b')]
    expect(encoded(values)).toEqual(values)
  })

  test('keep their names', () => {
    expect(encoded({ at: new Date(0), n: 1 })).toEqual({ at: '1970-01-01 00:00:00.000', n: 1 })
  })

  test.each<[string, unknown, unknown]>([
    ['a date', new Date(Date.UTC(2026, 1, 3, 4, 5, 6, 7)), '2026-02-03 04:05:06.007'],
    ['bytes', new Uint8Array([1, 2]), Buffer.from([1, 2])],
    ['an object', { a: [1] }, '{"a":[1]}'],
    ['what knows its own SQL', { toSqlString: () => 'x' }, 'x'],
    ['an array buffer', new Uint8Array([1, 2]).buffer, Buffer.from([1, 2])],
    ['a decimal number of a library', { toJSON: () => '1.50' }, '1.50'],
    ['an integer that no column holds', -(2n ** 64n), '-18446744073709551616'],
    ['a geometry', { type: 'Point', coordinates: [1, 2] }, { type: 'Point', coordinates: [1, 2] }],
  ])('%s is written as the server reads it', (_name, value, written) => {
    expect(encoded([value])).toEqual([written])
  })

  test('a list is a document in both protocols', () => {
    for (const kind of ['text', 'prepared'] as const) expect(encoded([[1, 2]], kind)).toEqual(['[1,2]'])
  })

  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  test.each<[string, unknown]>([
    ['a function, which the driver would leave out', () => 1],
    ['a symbol', Symbol('s')],
    ['a stream, which cannot be sent twice', Readable.from([])],
    ['a date that is none', new Date(Number.NaN)],
    ['a document without end', circular],
    ['a document with a bigint', { n: 1n }],
    ['NaN', Number.NaN],
    ['an infinite number', Number.POSITIVE_INFINITY],
    ['a promise that was not awaited', Promise.resolve(1)],
    ['a Map', new Map([[1, 2]])],
    ['a Set', new Set([1])],
    ['an error', new Error('e')],
  ])('%s is refused', (_name, value) => {
    expect(() => encoded([value])).toThrow()
  })
})

describe('a batch', () => {
  test('has rows of values or of names', () => {
    expect(encoded([[new Date(0)], [1]], 'batch')).toEqual([['1970-01-01 00:00:00.000'], [1]])
    expect(encoded([{ a: 1 }, { a: 2 }], 'batch')).toEqual([{ a: 1 }, { a: 2 }])
  })

  test.each<[string, Args]>([
    ['one row is shorter', [[1, 2], [1]]],
    ['values and names are mixed', [[1], { a: 1 }]],
    ['a row is no row', [1]],
    ['it is no list', { a: 1 }],
    ['it is empty', []],
  ])('is refused before anything is written when %s', (_name, args) => {
    expect(() => encoded(args, 'batch')).toThrow(TypeError)
  })
})
