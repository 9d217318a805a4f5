import { describe, expect, test } from 'vitest'
import { batchOf, checkCallback, statementOf } from '../src/arguments.ts'

function sent(sql: string, args?: unknown): unknown[] {
  const statement = statementOf('query', 'text', sql, args)
  return [statement.sql, statement.args]
}

describe('values by name', () => {
  test('become values by position', () => {
    expect(sent('SELECT :b, :a, :b', { a: 1, b: 2, c: 3 })).toEqual(['SELECT ?, ?, ?', [2, 1, 2]])
  })

  test.each([
    [
      'SELECT \':x\', `:x`, ":x" -- :x\n, :a # :x\n /* :x */',
      'SELECT \':x\', `:x`, ":x" -- :x\n, ? # :x\n /* :x */',
    ],
    ['SELECT @n:=:a', 'SELECT @n:=?'],
  ])('are found in %j outside of text and comments', (sql, positional) => {
    expect(sent(sql, { a: 1 })).toEqual([positional, [1]])
  })

  test('may come from an object with a prototype', () => {
    class Row {
      readonly id = 7
      get name(): string {
        return 'ann'
      }
    }
    expect(sent('SELECT :id, :name', new Row())).toEqual(['SELECT ?, ?', [7, 'ann']])
  })
})

describe('a list', () => {
  test.each<[string, readonly unknown[], string, readonly unknown[]]>([
    ['id IN (?)', [[1, 2]], 'id IN (?,?)', [1, 2]],
    ['id not in(?) AND b = ?', [[1, 2, 3], 4], 'id not in(?,?,?) AND b = ?', [1, 2, 3, 4]],
    ['id IN (?, ?)', [[1, 2], 3], 'id IN (?,?, ?)', [1, 2, 3]],
    [
      '(a, b) IN (?)',
      [
        [
          [1, 2],
          [3, 4],
        ],
      ],
      '(a, b) IN ((?,?),(?,?))',
      [1, 2, 3, 4],
    ],
    [
      '(a, b) IN ((?), (?))',
      [
        [1, 2],
        [3, 4],
      ],
      '(a, b) IN ((?,?), (?,?))',
      [1, 2, 3, 4],
    ],
    ['ORDER BY FIELD(id, ?)', [[2, 1]], 'ORDER BY FIELD(id, ?,?)', [2, 1]],
    ['id IN (?)', [[5]], 'id IN (?)', [5]],
  ])('in %s becomes values', (sql, args, text, values) => {
    for (const kind of ['text', 'prepared'] as const)
      expect(statementOf('query', kind, sql, args)).toEqual({ kind, sql: text, args: values })
    expect(sent('id IN (:ids)', { ids: [1, 2] })).toEqual(['id IN (?,?)', [1, 2]])
  })

  test.each<[string, unknown, unknown]>([
    ['SET doc = ?', [5], '[5]'],
    ['SET doc = ?', [[1, 2]], '[[1,2]]'],
    ['SET doc = ?', [], '[]'],
    ['INSERT INTO docs VALUES (?)', [1, 2], '[1,2]'],
    ['id IN (SELECT id FROM docs WHERE doc = ?)', [1], '[1]'],
    ['JSON_CONTAINS(doc, ?)', ['a'], '["a"]'],
  ])('in %s is a document', (sql, value, text) => {
    expect(sent(sql, [value])).toEqual([sql, [text]])
  })
})

describe('a statement with wrong values', () => {
  test.each<[string, unknown, unknown, string]>([
    ['no text', undefined, undefined, 'the statement: expected text, got a value of type undefined'],
    ['a number', 5, undefined, 'got a value of type number'],
    ['a blank', ' ', undefined, 'got an empty one'],
    ['no values', 'SELECT ?', undefined, '1 placeholders, and 0 values'],
    ['too few', 'SELECT ?, ?', [1], '2 placeholders, and 1 values'],
    ['too many', 'SELECT ?', [1, 2], '1 placeholders, and 2 values'],
    ['values without a place', "SELECT '?'", [1], '0 placeholders, and 1 values'],
    ['a missing name', 'SELECT :id', { Id: 1 }, 'there is no value for :id'],
    ['a name for a position', 'SELECT ?', { a: 1 }, "'?' takes its values from a list"],
    ['a scalar', 'SELECT ?', 5, 'expected a list'],
    ['null', 'SELECT ?', null, 'expected a list'],
    ['an empty list', 'id IN (?)', [[]], 'argument 0 is an empty list'],
    ['an empty list by name', 'id IN (:ids)', { ids: [] }, 'argument :ids is an empty list'],
    ['NaN', 'SELECT ?', [Number.NaN], 'argument 0 is NaN'],
    ['NaN in a list', 'id IN (?)', [[1, Number.NaN]], 'argument 0 is NaN'],
    ['an invalid date', 'SELECT :at', { at: new Date(Number.NaN) }, 'argument :at is an invalid Date'],
  ])('is refused: %s', (_name, sql, args, problem) => {
    for (const kind of ['text', 'prepared'] as const) {
      const call = (): unknown => statementOf('query', kind, sql, args)
      expect(call).toThrow(expect.objectContaining({ code: 'config-invalid', outcome: 'not-done' }))
      expect(call).toThrow(problem)
    }
  })

  test('is not judged where `sql_mode` decides what is text', () => {
    expect(sent("SELECT 'a\\'?', ?", [1])).toEqual(["SELECT 'a\\'?', ?", [1]])
    expect(() => sent("SELECT '\\', ?, '", [1])).not.toThrow()
  })
})

describe('the rows of a batch', () => {
  test('have a value for each placeholder', () => {
    expect(batchOf('batch', 'INSERT INTO t VALUES (?, ?)', [[1, [2]]])).toMatchObject({ args: [[1, '[2]']] })
    expect(batchOf('batch', 'INSERT INTO t VALUES (:a, :b)', [{ b: 2, a: 1 }])).toEqual({
      kind: 'batch',
      sql: 'INSERT INTO t VALUES (?, ?)',
      args: [[1, 2]],
    })
  })

  test.each<[string, unknown, string]>([
    ['no rows', [], 'at least one row'],
    ['no list', 5, 'at least one row'],
    ['a short row', [[1, 2], [1]], 'row 1: the statement has 2 placeholders, and 1 values'],
    ['mixed rows', [[1, 2], { a: 1 }], 'row 1 has another shape'],
    ['a row that is none', [[1, 2], null], 'row 1 has another shape'],
  ])('are refused: %s', (_name, rows, problem) => {
    expect(() => batchOf('batch', 'INSERT INTO t VALUES (?, ?)', rows)).toThrow(problem)
  })
})

describe('values that hold no value by name', () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()

  test.each([
    ['a map', new Map([['a', 1]])],
    ['a set', new Set([1])],
    ['a date', new Date(0)],
    ['bytes', Buffer.from('x')],
    ['a revoked proxy', proxy],
    [
      'an object whose getter throws',
      {
        get a(): number {
          throw new TypeError('secret')
        },
      },
    ],
  ])('are refused, also without a placeholder: %s', (_, given) => {
    const refused = expect.objectContaining({
      code: 'config-invalid',
      message: expect.stringMatching(/^query: the (values|rows)(?!.*secret)/),
    })

    expect(() => statementOf('query', 'text', 'SELECT :a', given)).toThrow(refused)
    expect(() => batchOf('query', 'INSERT INTO t VALUES (:a)', given)).toThrow(refused)
  })

  test('are refused as a statement and as a callback', () => {
    expect(() => sent(proxy as never)).toThrow('query: the statement: expected text')
    expect(() => checkCallback('transaction', proxy)).toThrow('transaction: expected a function')
  })
})
