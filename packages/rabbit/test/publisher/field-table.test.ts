import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodableTable } from '../../src/publisher/field-table.ts'

const at = (date: string): Date => new Date(date)

describe('the value of a header', () => {
  it.each<readonly [string, unknown, unknown]>([
    ['a Date', at('2026-01-02T03:04:05.678Z'), { '!': 'timestamp', value: 1_767_323_045 }],
    ['a bigint', 2n ** 62n, { '!': 'long', value: 2n ** 62n }],
    ['NaN', Number.NaN, { '!': 'double', value: Number.NaN }],
    ['-Infinity', Number.NEGATIVE_INFINITY, { '!': 'double', value: Number.NEGATIVE_INFINITY }],
    ['a number below the integers', -1e300, { '!': 'double', value: -1e300 }],
    ['an integer', 2 ** 40, 2 ** 40],
    ['null', null, null],
    ['bytes', new Uint8Array([1, 2]), Buffer.from([1, 2])],
    [
      'a list with a hole',
      [1, undefined, [at('1970-01-01T00:00:01Z')]],
      [1, null, [{ '!': 'timestamp', value: 1 }]],
    ],
    [
      'a table',
      { deep: { at: at('1970-01-01T00:00:02Z'), none: undefined } },
      { deep: { at: { '!': 'timestamp', value: 2 } } },
    ],
    [
      'a decimal of a delivery',
      { '!': 'decimal', value: { places: 2, digits: 314 } },
      { '!': 'decimal', value: { places: 2, digits: 314 } },
    ],
    ['an unsigned integer by type', { '!': 'uint32', value: 7 }, { '!': 'uint32', value: 7 }],
  ])('is encodable: %s', (_, value, expected) => {
    expect(encodableTable({ h: value }, 'publish.headers').table).toEqual({ h: expected })
  })

  it('that is undefined is left out', () => {
    expect(encodableTable({ h: undefined }, 'publish.headers')).toEqual({ table: {}, bytes: 4 })
  })

  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  const list: unknown[] = []
  list.push(list)
  it.each<readonly [string, unknown, string]>([
    ['a function', () => undefined, 'publish.headers.h'],
    ['a symbol', Symbol('s'), 'publish.headers.h'],
    ['a Map', new Map([[1, 2]]), 'publish.headers.h'],
    ['an Error', new Error('e'), 'publish.headers.h'],
    ['an invalid Date', new Date(Number.NaN), 'publish.headers.h'],
    ['a Date before 1970', new Date(-1), 'publish.headers.h'],
    ['an integer of 65 bits', 2n ** 63n, 'publish.headers.h'],
    ['a cycle', cycle, 'publish.headers.h'],
    ['a cycle of lists', list, 'publish.headers.h'],
    ['a Map in a list', [{ deep: new Map() }], 'publish.headers.h[0].deep'],
    ['a type that AMQP does not have', { '!': 'money', value: 1 }, 'publish.headers.h'],
    ['a value outside its type', { '!': 'byte', value: 128 }, 'publish.headers.h'],
    ['a name of 256 bytes', { ['ü'.repeat(128)]: 1 }, 'publish.headers.h'],
  ])('is refused with its path: %s', (_, value, path) => {
    expect(() => encodableTable({ h: value }, 'publish.headers')).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(path) }),
    )
  })

  it('takes as many bytes as the driver writes', () => {
    // The driver does not export its codec.
    const { resolve } = createRequire(import.meta.url)
    const load = createRequire(resolve('amqplib'))
    const codec = load(join(dirname(resolve('amqplib')), 'lib/codec.js')) as {
      readonly encodeTable: (buffer: Buffer, table: unknown, offset: number) => number
    }
    const headers = {
      text: 'grüße',
      numbers: [0, -129, 40_000, 2 ** 40, 0.5, 2n],
      flags: [true, null],
      bytes: Buffer.alloc(9),
      at: at('2026-01-01T00:00:00Z'),
      deep: { deeper: { list: [] } },
    }
    const { table, bytes } = encodableTable(headers, 'publish.headers')
    expect(codec.encodeTable(Buffer.alloc(1_024), table, 0)).toBe(bytes)
  })
})
