import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { endLabProcesses, hasLabProcesses, labMark } from '../../src/machine/process-table.ts'

test('processes that start others while they are being ended are ended to the last', async () => {
  const folder = `/labs/marks-${process.pid}`
  // Whoever looks once misses what is started between the look and the kill.
  const script = 'n=0; while [ $n -lt 2000 ]; do n=$((n+1)); sleep 5 & done; wait'
  const child = spawn('sh', ['-c', script], { env: { PATH: process.env['PATH'], [labMark]: folder } })
  await once(child, 'spawn')
  await expect.poll(() => hasLabProcesses(folder)).toBe(true)

  await endLabProcesses(folder)

  expect(hasLabProcesses(folder)).toBe(false)
})

test('a folder without processes has nothing to end', async () => {
  await endLabProcesses('/labs/nobody')

  expect(hasLabProcesses('/labs/nobody')).toBe(false)
})
