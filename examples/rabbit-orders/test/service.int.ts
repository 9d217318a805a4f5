import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openLab } from '@ha/bootstrap'
import { createRabbit } from '@ha/rabbit'
import { expect, inject, it } from 'vitest'

const service = fileURLToPath(new URL('../dist/service.js', import.meta.url))

it('takes and invoices every order while its broker is killed', async () => {
  const lab = openLab(inject('lab'))
  const child = spawn(process.execPath, [service], { env: { ...process.env, AMQP_URL: lab.url } })
  const lines: string[] = []
  await collectOutput(child, lines)
  for (const { name } of lab.nodes) {
    await lab.kill(name)
    await setTimeout(1_500)
    await lab.resume(name)
    await lab.ready()
  }
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')

  const last = JSON.parse(lines.at(-1) ?? '{}') as { taken: number; invoiced: number; atShutdown: unknown }
  expect(code).toBe(0)
  expect(lines.filter((line) => line.includes('failover from')).length).toBeGreaterThan(0)
  expect(lines.filter((line) => /not-done|unknown \(/.test(line))).toEqual([])
  expect(last.taken).toBeGreaterThan(100)
  expect(last.invoiced + (await waitingOrders(lab.url))).toBe(last.taken)
})

// Number of orders without an invoice when the service stopped.
async function waitingOrders(url: string): Promise<number> {
  await using rabbit = createRabbit(url)
  const { messageCount } = await rabbit.withChannel((channel) => channel.checkQueue('billing'))
  return messageCount
}

// Collects the output of the service; resolves with its first line, which reports that it is ready.
async function collectOutput(child: ChildProcess, lines: string[]): Promise<void> {
  const { stdout } = child
  if (stdout === null) throw new Error('the service has no output')
  const output = createInterface({ input: stdout })
  output.on('line', (line) => lines.push(line))
  await once(output, 'line')
}
