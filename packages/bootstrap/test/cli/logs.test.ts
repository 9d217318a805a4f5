import { appendFileSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { VerbContext } from '../../src/cli/run-verb.ts'
import { logs } from '../../src/cli/verbs.ts'
import { resolveRabbit } from '../../src/rabbitmq/model.ts'
import { planRabbit } from '../../src/rabbitmq/plan.ts'
import { deployment } from '../rabbitmq/deployment.ts'

let home: string
let folder: string
let log: string
let interrupt: AbortController
let printed: string
let context: VerbContext

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hactl-logs-'))
  vi.stubEnv('HACTL_HOME', home)
  folder = join(home, 'labs/shop')
  log = join(folder, 'nodes/rabbit1/log')
  mkdirSync(join(folder, 'nodes/rabbit1'), { recursive: true })
  const plan = planRabbit(resolveRabbit({ kind: 'rabbitmq', nodes: 1 }, { ...deployment, folder }))
  writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan))
  interrupt = new AbortController()
  printed = ''
  context = {
    signal: interrupt.signal,
    readerLeft: new AbortController().signal,
    isJson: false,
    onEvent: () => undefined,
    print: (text) => {
      printed += text
    },
    confirm: async () => false,
  }
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

test('a log that has not begun is followed from its first line until the interrupt', async () => {
  const following = logs('rabbit1', { follow: true }, context)
  appendFileSync(log, 'one\n')
  await expect.poll(() => printed).toBe('one\n')
  appendFileSync(log, 'two\n')
  await expect.poll(() => printed).toBe('one\ntwo\n')

  interrupt.abort()

  expect((await following).exitCode).toBe(130)
})

test('what was there before is shown once, and the end of the lab ends the following', async () => {
  writeFileSync(log, 'old\n')
  const following = logs('rabbit1', { follow: true }, context)
  await expect.poll(() => printed).toBe('old\n')

  rmSync(folder, { recursive: true })

  expect(await following).toMatchObject({ text: ['the lab has ended; its logs are removed'], exitCode: 0 })
  expect(printed).toBe('old\n')
})

test('a log larger than a string of Node.js can be is shown from its end', async () => {
  writeFileSync(log, '')
  truncateSync(log, 3 * 2 ** 30)
  appendFileSync(log, '\nold\nlast\n')

  expect((await logs('rabbit1', {}, context)).text.slice(-2)).toEqual(['old', 'last'])
  const following = logs('rabbit1', { follow: true }, context)
  await expect.poll(() => printed).toContain('last\n')
  interrupt.abort()
  await following
})
