import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  findMarkedProcesses,
  identify,
  isFrozen,
  isRunning,
  type ProcessId,
  sendSignal,
} from '../../src/machine/process-table.ts'

let child: ChildProcess
let id: ProcessId

beforeEach(async () => {
  child = spawn('sleep', ['60'], { env: { ...process.env, HACTL_TEST_MARK: `mark-${process.pid}` } })
  await once(child, 'spawn')
  id = identify(child.pid ?? 0) ?? { pid: 0, startTicks: '', bootId: '' }
})
afterEach(() => {
  child.kill('SIGKILL')
})

test('a running process is told by its pid, start and boot', () => {
  expect(id.pid).toBe(child.pid)
  expect(isRunning(id)).toBe(true)
})

test('a record whose pid came back for another process never signals it', () => {
  const recycled = { ...id, startTicks: String(Number(id.startTicks) - 1) }

  expect(sendSignal(recycled, 'SIGKILL')).toBe(false)
  expect(isRunning(id)).toBe(true)
})

test('a record of an earlier boot never signals anything', () => {
  expect(sendSignal({ ...id, bootId: 'another' }, 'SIGKILL')).toBe(false)
  expect(isRunning(id)).toBe(true)
})

test('a stop signal freezes and a continue signal thaws', async () => {
  sendSignal(id, 'SIGSTOP')
  await expect.poll(() => isFrozen(id)).toBe(true)

  sendSignal(id, 'SIGCONT')

  await expect.poll(() => isFrozen(id)).toBe(false)
})

test('a process that has ended is not running, and signalling it does nothing', async () => {
  sendSignal(id, 'SIGKILL')
  await once(child, 'exit')

  expect(isRunning(id)).toBe(false)
  expect(sendSignal(id, 'SIGKILL')).toBe(false)
})

test('a process is found by a mark in its environment', () => {
  expect(findMarkedProcesses('HACTL_TEST_MARK', `mark-${process.pid}`)).toEqual([id])
})
