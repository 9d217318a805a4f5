import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Fault, FaultAction } from '../../src/lab/events.ts'
import { expiredFaults, grantFault, supportedFaults } from '../../src/lab/faults.ts'
import { initialLabState, type LabState } from '../../src/lab/state.ts'

const id = { pid: 7, startTicks: '99', bootId: 'b' }
const healthy: LabState = { ...initialLabState, processes: { rabbit1: { kind: 'up', id } } }
const broken = (action: FaultAction, healsAt = 1000): LabState => ({
  ...healthy,
  faults: { rabbit1: { node: 'rabbit1', action, begunAt: 0, healsAt } },
})
const ask = (state: LabState, action: FaultAction, now = 500): Fault =>
  grantFault(state, { node: 'rabbit1', action, forMs: 30_000 }, now)

test('a healthy node may be broken until the deadline', () => {
  expect(ask(healthy, 'pause')).toEqual({ node: 'rabbit1', action: 'pause', begunAt: 500, healsAt: 30_500 })
})

describe('a node that is broken already', () => {
  const granted: readonly (readonly [FaultAction, FaultAction])[] = [
    ['pause', 'pause'],
    ['kill', 'kill'],
    ['stop', 'stop'],
    ['pause', 'kill'],
    ['isolate', 'kill'],
  ]
  const refused: readonly (readonly [FaultAction, FaultAction])[] = [
    ['pause', 'stop'],
    ['kill', 'pause'],
    ['kill', 'stop'],
    ['stop', 'kill'],
    ['stop', 'pause'],
    ['isolate', 'desync'],
    ['kill', 'isolate'],
    ['partition', 'kill'],
    ['partition', 'partition-all'],
  ]

  test.each(granted)('by %s takes %s', (before, wanted) => {
    expect(ask(broken(before), wanted).healsAt).toBe(30_500)
  })

  test.each(refused)('by %s refuses %s and says what to type', (before, wanted) => {
    expect(() => ask(broken(before), wanted)).toThrow('run: hactl resume rabbit1')
  })
})

test('a node that does not run cannot be broken', () => {
  expect(() => ask(initialLabState, 'pause')).toThrow('pause rabbit1: it is not running')
})

test('exactly the faults whose time is over are overdue, the oldest first', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { maxLength: 7 }), fc.nat(1000), (ends, now) => {
      const faults = Object.fromEntries(
        ends.map((healsAt, i) => [`n${i}`, { node: `n${i}`, action: 'kill' as const, begunAt: 0, healsAt }]),
      )
      const found = expiredFaults({ ...initialLabState, faults }, now).map((fault) => fault.healsAt)

      expect(found).toEqual(ends.filter((healsAt) => healsAt <= now).sort((a, b) => a - b))
    }),
  )
})

describe('a clock that is set', () => {
  const hour = 3_600_000
  const pause = { node: 'rabbit1', action: 'pause', forMs: 20_000 } as const
  const begun = grantFault(healthy, pause, 10 * hour, { boot: 'b', ms: 1000 })
  const state: LabState = { ...healthy, faults: { rabbit1: begun } }

  test.each([
    ['back does not prolong a fault', 9 * hour, { boot: 'b', ms: 21_000 }, 1],
    ['forward does not end a fault', 11 * hour, { boot: 'b', ms: 20_999 }, 0],
    ['decides after another start of the machine', 11 * hour, { boot: 'c', ms: 5 }, 1],
    ['decides where the uptime is unknown', 11 * hour, undefined, 1],
  ])('%s', (_, now, uptime, expired) => {
    expect(expiredFaults(state, now, uptime)).toHaveLength(expired)
  })
})

test('a node knows the faults of its process, and those that its server can be told', () => {
  const command = { argv: [], env: {}, stdin: '' }
  const lever = { begin: command, heal: command }

  expect(supportedFaults({ levers: {} })).toEqual(['kill', 'stop', 'pause'])
  expect(supportedFaults({ levers: { 'read-only': lever, isolate: lever } })).toEqual([
    'kill',
    'stop',
    'pause',
    'isolate',
    'read-only',
  ])
})
