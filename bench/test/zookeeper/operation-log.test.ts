import { expect, test } from 'vitest'
import type { Contents } from '../../src/zookeeper/contents.ts'
import { checkLog, type Op } from '../../src/zookeeper/operation-log.ts'

const op = (id: number, kind: Op['kind'], outcome: Op['outcome'], register?: number): Op => ({
  id,
  kind,
  register,
  startedAtMs: 0,
  settledAtMs: outcome === 'unsettled' ? undefined : 1,
  outcome,
  error: outcome === 'not-done' || outcome === 'unknown' ? 'code' : undefined,
})

const holding = (more: Partial<Contents>): Contents => ({
  server: 'one',
  creates: [],
  sequences: [],
  registers: [],
  ...more,
})

test('a create that was acknowledged and is missing on one server is lost', () => {
  const contents = [holding({ creates: ['c-0'] }), holding({ creates: [] })]
  expect(checkLog([op(0, 'create', 'done')], contents)).toMatchObject({ lost: 1, unequalServers: 1 })
})

test('a create that was called not done and is there is a lie; an unknown one is not', () => {
  const contents = [holding({ creates: ['c-0', 'c-1'] })]
  const ops = [op(0, 'create', 'not-done'), op(1, 'create', 'unknown')]
  expect(checkLog(ops, contents)).toMatchObject({ wronglyNotDone: 1, unknownButThere: 1, lost: 0 })
})

test('two sequential nodes of one call are found behind their marks', () => {
  const mark = '_c_0f8fad5b-d9cb-469f-a165-70867728950e-'
  const contents = [holding({ sequences: [`${mark}s-0-0000000001`, `${mark}s-0-0000000002`] })]
  expect(checkLog([op(0, 'sequence', 'done')], contents)).toMatchObject({ twice: 1, lost: 0 })
})

test.each([
  ['as many as were done', 2, { lost: 0, wronglyNotDone: 0, unknownButThere: 0 }],
  ['one less', 1, { lost: 1, wronglyNotDone: 0 }],
  ['one more, of which nobody knew', 3, { lost: 0, wronglyNotDone: 0, unknownButThere: 1 }],
  ['more than can be', 4, { lost: 0, wronglyNotDone: 1 }],
] as const)('the version of a register says how many writes happened: %s', (_, version, expected) => {
  const contents = [holding({ registers: [{ version, data: '' }] })]
  const ops = [
    op(0, 'set', 'done', 0),
    op(1, 'set', 'done', 0),
    op(2, 'set', 'unknown', 0),
    op(3, 'set', 'not-done', 0),
  ]
  expect(checkLog(ops, contents)).toMatchObject(expected)
})

test('reads are counted for themselves', () => {
  const ops = [op(0, 'read', 'done'), op(1, 'read', 'unknown'), op(2, 'read', 'unsettled')]
  expect(checkLog(ops, [holding({})])).toMatchObject({
    writes: 0,
    reads: 3,
    failedReads: 1,
    unsettled: 1,
    rejections: { 'read unknown: code': 1 },
  })
})
