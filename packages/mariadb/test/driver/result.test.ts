import { deepStrictEqual } from 'node:assert'
import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { resultOf } from '../../src/driver/codec.ts'
import type { Answer } from '../../src/driver/statement.ts'

const written = { kind: 'written', affectedRows: 3, insertId: 7, warnings: 0 } as const
const read = { kind: 'rows', rows: [{ id: 1 }], columns: [{ name: 'id', type: 'INT' }] } as const

it('rows print, compare and serialise as the list that they are', () => {
  const result = resultOf({ ...read, rows: [{ id: 1 }] })
  deepStrictEqual(result, [{ id: 1 }])
  expect(inspect(result)).toBe('[ { id: 1 } ]')
  expect(JSON.stringify(result)).toBe('[{"id":1}]')
  expect(result.columns).toEqual([{ name: 'id', type: 'INT' }])
})

it('a write prints what it did', () => {
  expect(inspect(resultOf(written))).toContain('affectedRows: 3, insertId: 7')
})

it('a procedure gives its first rows, and what it wrote last', () => {
  const first = { ...read, rows: [{ id: 1 }] }
  const result = resultOf({ kind: 'several', answers: [first, { ...read, rows: [{ id: 2 }] }, written] })
  expect([...result]).toEqual([{ id: 1 }])
  expect(result.affectedRows).toBe(3)
})

it('a procedure that gives no rows says what it wrote', () => {
  const result = resultOf({ kind: 'several', answers: [written] })
  expect(result).toHaveLength(0)
  expect(result.affectedRows).toBe(3)
})

it('the result of a procedure has all results, the first one first', () => {
  const answers: Answer[] = [
    { kind: 'rows', rows: [{ id: 1 }], columns: [] },
    { kind: 'rows', rows: [{ total: 2 }], columns: [] },
    { kind: 'written', affectedRows: 3, insertId: 0, warnings: 0 },
  ]
  const result = resultOf({ kind: 'several', answers })
  expect([...result]).toEqual([{ id: 1 }])
  expect(result.results.map((each) => [...each])).toEqual([[{ id: 1 }], [{ total: 2 }], []])
  expect(result.results[2]?.affectedRows).toBe(3)
  expect(JSON.stringify(result)).toBe('[{"id":1}]')
  expect(resultOf({ kind: 'rows', rows: [], columns: [] }).results).toEqual([])
})
