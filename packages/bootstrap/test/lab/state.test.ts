import { expect, test } from 'vitest'
import type { Fault, LabEvent, RecordedEvent } from '../../src/lab/events.ts'
import {
  applyEvent,
  hasLostNodes,
  initialLabState,
  isDown,
  type LabState,
  processIdOf,
  processOf,
} from '../../src/lab/state.ts'
import type { ProcessId } from '../../src/machine/process-table.ts'

const id: ProcessId = { pid: 7, startTicks: '99', bootId: 'b' }
const fault: Fault = { node: 'rabbit1', action: 'pause', begunAt: 1, healsAt: 2 }
const after = (...events: readonly LabEvent[]): LabState =>
  events
    .map((event, i): RecordedEvent => ({ ...event, seq: i + 1, at: i }))
    .reduce(applyEvent, initialLabState)

test('a process goes from launching to starting to up', () => {
  const launching: LabEvent = { type: 'process-starting', process: 'rabbit1' }
  const started: LabEvent = { type: 'process-started', process: 'rabbit1', id }
  const up: LabEvent = { type: 'process-up', process: 'rabbit1', elapsedMs: 3 }

  expect(processOf(after(launching), 'rabbit1')).toEqual({ kind: 'launching' })
  expect(processOf(after(launching, started), 'rabbit1')).toEqual({ kind: 'starting', id })
  expect(processOf(after(launching, started, up), 'rabbit1')).toEqual({ kind: 'up', id })
})

test('a process that ended has no identity to signal', () => {
  const state = after(
    { type: 'process-started', process: 'rabbit1', id },
    { type: 'process-ended', process: 'rabbit1', asked: false },
  )

  expect(processIdOf(processOf(state, 'rabbit1'))).toBeUndefined()
})

test('a process that was never started is down', () => {
  expect(processOf(initialLabState, 'rabbit9')).toEqual({ kind: 'down' })
})

test('a fault is in force until it is healed', () => {
  const begun: LabEvent = { type: 'fault-begun', fault }

  expect(after(begun).faults).toEqual({ rabbit1: fault })
  expect(after(begun, { type: 'fault-healed', node: 'rabbit1', because: 'asked' }).faults).toEqual({})
})

test('a failed lab keeps its reason', () => {
  expect(after({ type: 'failed', code: 'node-failed', message: 'why' }).phase).toEqual({
    kind: 'failed',
    code: 'node-failed',
    message: 'why',
  })
})

test('what only tells gives the same object back', () => {
  const told: RecordedEvent = { type: 'working', on: 'something', seq: 1, at: 1 }

  expect(applyEvent(initialLabState, told)).toBe(initialLabState)
})

test('a cluster has lost nodes when some ended by themselves and no fault is in force', () => {
  const plan = { nodes: [{ name: 'a' }, { name: 'b' }] }
  const formed = {
    ...initialLabState,
    phase: { kind: 'formed' },
    processes: { a: { kind: 'launching' } },
  } as const

  expect(hasLostNodes(plan, formed)).toBe(true)
  expect(hasLostNodes(plan, { ...formed, phase: { kind: 'forming' } })).toBe(false)
  expect(
    hasLostNodes(plan, { ...formed, processes: { ...formed.processes, b: { kind: 'launching' } } }),
  ).toBe(false)
  const fault = { node: 'b', action: 'kill', begunAt: 0, healsAt: 1 } as const
  expect(hasLostNodes(plan, { ...formed, faults: { b: fault } })).toBe(false)
})

test('a cluster is down as a whole when no node runs and not all were stopped on purpose', () => {
  const plan = { nodes: [{ name: 'a' }, { name: 'b' }] }
  const formed = { ...initialLabState, phase: { kind: 'formed' } } as const
  const fault = (node: string) => ({ node, action: 'kill' as const, begunAt: 0, healsAt: 1 })

  expect(isDown(plan, formed)).toBe(true)
  expect(isDown(plan, initialLabState)).toBe(false)
  expect(isDown(plan, { ...formed, faults: { a: fault('a') } })).toBe(true)
  expect(isDown(plan, { ...formed, faults: { a: fault('a'), b: fault('b') } })).toBe(false)
  expect(isDown(plan, { ...formed, processes: { a: { kind: 'launching' } } })).toBe(false)
})
