import { expect, test } from 'vitest'
import type { ClientEvent } from '../../src/harness/worker.ts'
import { clientResult } from '../../src/mariadb/client-result.ts'
import type { Op } from '../../src/mariadb/operation-log.ts'

const window = { faultAtMs: 1_000, healedAtMs: 5_000, victims: ['db1:1'] }

const op = (startedAtMs: number, settledAtMs: number, kind: Op['kind'] = 'insert'): Op => ({
  id: startedAtMs,
  kind,
  startedAtMs,
  settledAtMs,
  outcome: 'done',
  error: undefined,
  stale: false,
})
const host = (atMs: number, endpoint: string, from: string, to: string): ClientEvent => ({
  atMs,
  name: 'host',
  facts: { endpoint, from, to },
})
const checked = (ops: readonly Op[], events: readonly ClientEvent[] = []): ReturnType<typeof clientResult> =>
  clientResult('ours', { result: { ops, events, unhandled: [] }, contents: [], window })

test('the longest silence before the healing counts, also when an answer was on its way at the fault', () => {
  const { darkMs } = checked([op(900, 1_003), op(1_000, 3_200), op(4_900, 5_001)])
  expect(darkMs).toBe(2_197)
})

test('whoever does not write after the healing has never come back', () => {
  expect(checked([op(1_001, 1_002)]).darkMs).toBeUndefined()
})

test('reads under way in the silence are compared with those before the fault', () => {
  const calm = Array.from({ length: 9 }, (_, i) => op(i, i + 2, 'read'))
  const { readExtraMs } = checked([...calm, op(1_100, 1_350, 'read'), op(900, 3_000), op(6_000, 6_001)])
  expect(readExtraMs).toBe(248)
})

test('the victim is down when the client says so, and doubts of others are told', () => {
  const { downAfterMs, suspected } = checked(
    [],
    [
      host(500, 'db1:1', 'unknown', 'up'),
      host(1_700, 'db1:1', 'up', 'suspect'),
      host(2_200, 'db1:1', 'suspect', 'down'),
      host(2_300, 'db2:1', 'up', 'suspect'),
      host(5_500, 'db3:1', 'up', 'suspect'),
    ],
  )
  expect({ downAfterMs, suspected }).toEqual({ downAfterMs: 1_200, suspected: ['db2:1 suspect'] })
})
