import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openLab } from '@ha/bootstrap'
import { expect, inject, it } from 'vitest'

const service = fileURLToPath(new URL('../dist/service.js', import.meta.url))

it('moves every amount once while its database server is killed', async () => {
  const lab = openLab(inject('lab'))
  const child = spawn(process.execPath, [service], { env: { ...process.env, MARIADB_URL: lab.url } })
  const lines: string[] = []
  await readLines(child, lines)
  await setTimeout(1_000)
  await lab.kill('db1')
  await setTimeout(5_000)
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  await lab.resume('db1')
  await lab.ready()

  const last = JSON.parse(lines.at(-1) ?? '{}') as Record<string, number>
  expect(code).toBe(0)
  expect(lines.filter((line) => line.includes('writes go to')).length).toBe(1)
  expect(last).toMatchObject({ unknown: 0, notDone: 0, balance: 10_000, transfers: last['moved'] })
  expect(last['moved']).toBeGreaterThan(100)
})

// Collects the output of the service; resolves once the service reports that it is ready.
async function readLines(child: ChildProcess, lines: string[]): Promise<void> {
  const { stdout } = child
  if (stdout === null) throw new Error('the service has no output')
  const output = createInterface({ input: stdout })
  output.on('line', (line) => lines.push(line))
  while (!lines.includes('ready')) await once(output, 'line')
}
