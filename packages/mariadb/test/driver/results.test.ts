import type { FieldInfo } from 'mariadb'
import { describe, expect, test } from 'vitest'
import { encodeValue, type ResultRules, readResult, rowReader } from '../../src/driver/codec.ts'
import { utc } from '../../src/driver/dates.ts'

const rules: ResultRules = { bigint: 'auto', dates: 'date', json: 'parsed', zone: utc }

function column(name: string, type: string, json = false): FieldInfo {
  return { name: () => name, type, isDataTypeFormatJson: () => json } as unknown as FieldInfo
}

// Rows in the form of the driver, with the columns as a hidden property.
function rows(columns: readonly FieldInfo[], ...found: readonly object[]): unknown {
  return Object.defineProperty([...found], 'meta', { value: columns })
}

function value(type: string, cell: unknown, more: Partial<ResultRules> = {}): unknown {
  const answer = readResult(rows([column('a', type)], { a: cell }), { ...rules, ...more })
  return answer.kind === 'rows' ? answer.rows[0]?.['a'] : undefined
}

describe('a value', () => {
  const large = 2n ** 60n
  test.each<[ResultRules['bigint'], unknown, unknown]>([
    ['auto', 7, large],
    ['bigint', 7n, large],
    ['string', '7', String(large)],
    ['number', 7, Number(large)],
  ])('of a BIGINT column is, with %s, %s or %s', (bigint, small, huge) => {
    expect(value('BIGINT', 7n, { bigint })).toBe(small)
    expect(value('BIGINT', large, { bigint })).toBe(huge)
  })

  test('of a date column is a Date, or the server’s text', () => {
    expect(value('TIMESTAMP', '2026-01-02 03:04:05')).toEqual(new Date(Date.UTC(2026, 0, 2, 3, 4, 5)))
    expect(value('DATE', '2026-01-02', { dates: 'string' })).toBe('2026-01-02')
  })

  test.each(['BIGINT', 'DATETIME', 'JSON'])('of %s may be NULL', (type) => {
    expect(value(type, null)).toBeNull()
  })

  test('of a document is what it says; one that was cut stays text', () => {
    expect(value('JSON', '{"a":1}')).toEqual({ a: 1 })
    expect(value('JSON', '[1,')).toBe('[1,')
  })
})

describe('a result', () => {
  test('says what its columns are', () => {
    expect(readResult(rows([column('a', 'INT')], { a: 1 }), rules)).toEqual({
      kind: 'rows',
      rows: [{ a: 1 }],
      columns: [{ name: 'a', type: 'INT' }],
    })
  })

  test('of a write counts rows, and its id follows the rule of BIGINT', () => {
    const written = { affectedRows: 2, insertId: 5n, warningStatus: 1 }
    expect(readResult(written, rules)).toEqual({ kind: 'written', affectedRows: 2, insertId: 5, warnings: 1 })
  })

  test('of a procedure has several answers', () => {
    const written = { affectedRows: 0, insertId: 0n, warningStatus: 0 }
    expect(readResult([rows([column('a', 'INT')], { a: 1 }), written], rules)).toMatchObject({
      kind: 'several',
      answers: [{ kind: 'rows' }, { kind: 'written' }],
    })
  })

  test('of a batch that returns rows has no columns', () => {
    expect(readResult([{ id: 1 }, { id: 2 }], rules)).toEqual({
      kind: 'rows',
      rows: [{ id: 1 }, { id: 2 }],
      columns: [],
    })
  })

  test('that is streamed has the same values', () => {
    expect(rowReader([column('a', 'BIGINT')], rules)({ a: 3n })).toEqual({ a: 3 })
  })
})

describe('a value of a column', () => {
  test('of JSON is parsed, or its text as it is with `json: string`', () => {
    const text = '{"id":9007199254740993}'
    expect(value('JSON', text)).toEqual({ id: 9007199254740992 })
    expect(value('JSON', text, { json: 'string' })).toBe(text)
  })

  test('of SET is a list that is written back as it was read', () => {
    const flags = { name: () => 'a', type: 'STRING', flags: 0x800, isDataTypeFormatJson: () => false }
    const answer = readResult(rows([flags as unknown as FieldInfo], { a: ['x', 'y'] }, { a: [''] }), rules)
    const read = answer.kind === 'rows' ? answer.rows.map((row) => row['a']) : []
    expect(read).toEqual([['x', 'y'], []])
    expect(read.map((each) => encodeValue(each, '0', undefined))).toEqual(['x,y', ''])
  })
})
