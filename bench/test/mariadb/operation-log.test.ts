import { expect, test } from 'vitest'
import { checkLog, type LogVerdict, type Op } from '../../src/mariadb/operation-log.ts'
import { type Contents, startBalance, type Transfer } from '../../src/mariadb/tables.ts'

const op = (id: number, rest: Partial<Op> = {}): Op => ({
  id,
  kind: 'insert',
  startedAtMs: id,
  settledAtMs: id + 1,
  outcome: 'done',
  error: undefined,
  stale: false,
  ...rest,
})
const transfer = (id: number, outcome: Op['outcome'] = 'done'): Op => op(id, { kind: 'transfer', outcome })

const node = (rows: readonly number[], rest: Partial<Contents> = {}): Contents => ({
  node: 'db:1',
  rows,
  journal: [],
  balances: new Map([
    [1, startBalance],
    [2, startBalance],
  ]),
  ...rest,
})
const moved: Transfer = { id: 1, source: 1, target: 2, amount: 5 }
const after = (first: number, second: number): ReadonlyMap<number, number> =>
  new Map([
    [1, startBalance + first],
    [2, startBalance + second],
  ])

const fine: LogVerdict = {
  writes: 0,
  done: 0,
  notDone: 0,
  unknown: 0,
  unknownButThere: 0,
  unsettled: 0,
  lost: 0,
  twice: 0,
  wronglyNotDone: 0,
  wrongSums: 0,
  unequalNodes: 0,
  reads: 0,
  failedReads: 0,
  staleReads: 0,
  rejections: {},
}

test.each<readonly [string, readonly Op[], readonly Contents[], Partial<LogVerdict>]>([
  ['nothing', [], [node([])], {}],
  ['a row that is on every node', [op(1)], [node([1]), node([1])], { writes: 1, done: 1 }],
  ['a row that is nowhere', [op(1)], [node([]), node([])], { writes: 1, done: 1, lost: 1 }],
  [
    'a row that one node has lost',
    [op(1)],
    [node([1]), node([])],
    { writes: 1, done: 1, lost: 1, unequalNodes: 1 },
  ],
  ['a row that is there twice', [op(1)], [node([1, 1])], { writes: 1, done: 1, twice: 1 }],
  ['one that never settled', [op(1, { outcome: 'unsettled' })], [node([1])], { writes: 1, unsettled: 1 }],
  ['a failed read', [op(1, { kind: 'read', outcome: 'not-done' })], [node([])], { reads: 1, failedReads: 1 }],
  ['a stale read', [op(1, { kind: 'own-read', stale: true })], [node([])], { reads: 1, staleReads: 1 }],
  [
    'a transfer that is booked',
    [transfer(1)],
    [node([], { journal: [moved], balances: after(-5, 5) })],
    { writes: 1, done: 1 },
  ],
  [
    'a transfer in the journal whose money did not arrive',
    [transfer(1)],
    [node([], { journal: [moved], balances: after(-5, 0) })],
    { writes: 1, done: 1, wrongSums: 1 },
  ],
  [
    'a transfer whose money moved twice',
    [transfer(1)],
    [node([], { journal: [moved], balances: after(-10, 10) })],
    { writes: 1, done: 1, wrongSums: 1 },
  ],
  [
    'a transfer that was reported rolled back and is not there',
    [transfer(1, 'not-done')],
    [node([])],
    { writes: 1, notDone: 1 },
  ],
])('the ledger of %s', (_, ops, contents, verdict) => {
  expect(checkLog(ops, contents)).toEqual({ ...fine, ...verdict })
})

test('a rejection is counted with how many of its kind had happened all the same', () => {
  const unknown = { outcome: 'unknown', error: 'lost' } as const
  const {
    unknown: count,
    unknownButThere,
    rejections,
  } = checkLog([op(1, unknown), op(2, unknown)], [node([2])])
  expect({ count, unknownButThere, rejections }).toEqual({
    count: 2,
    unknownButThere: 1,
    rejections: { 'insert unknown: lost': { shown: 2, there: 1 } },
  })
})

test('what was called not done and is there is a wrong word', () => {
  const { wronglyNotDone } = checkLog([op(1, { outcome: 'not-done', error: 'lost' })], [node([1])])
  expect(wronglyNotDone).toBe(1)
})
