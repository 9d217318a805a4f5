import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { VerbContext } from '../../src/cli/run-verb.ts'
import { down, env, status } from '../../src/cli/verbs.ts'
import { openLabOf } from '../../src/client/find-labs.ts'
import { identify } from '../../src/machine/process-table.ts'
import { resolveRabbit } from '../../src/rabbitmq/model.ts'
import { planRabbit } from '../../src/rabbitmq/plan.ts'
import { resolveZookeeper } from '../../src/zookeeper/model.ts'
import { planZookeeper } from '../../src/zookeeper/plan.ts'
import { deployment as rabbitDeployment } from '../rabbitmq/deployment.ts'
import { zookeeperDeployment } from '../zookeeper/deployment.ts'

let home: string
const servers: Server[] = []
const context: VerbContext = {
  signal: new AbortController().signal,
  readerLeft: new AbortController().signal,
  isJson: false,
  onEvent: () => undefined,
  print: () => undefined,
  confirm: async () => false,
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hactl-several-'))
  vi.stubEnv('HACTL_HOME', home)
  addRabbit('rabbitmq', ['rabbit1', 'both'])
  const zookeeper = planZookeeper(
    resolveZookeeper(
      { kind: 'zookeeper', nodes: ['zk1', 'both'] },
      { ...zookeeperDeployment, lab: 'zookeeper', folder: join(home, 'labs/zookeeper') },
    ),
  )
  write('zookeeper', zookeeper)
})
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  vi.unstubAllEnvs()
  rmSync(home, { recursive: true })
})

test('the addresses of all labs are printed together', async () => {
  const { text } = await env({})

  expect(text).toEqual([
    expect.stringMatching(/^export AMQP_URL='amqp:/),
    expect.stringMatching(/^export ZOOKEEPER_CONNECT='127/),
  ])
})

test('the address of one lab is printed by name', async () => {
  expect((await env({ name: 'zookeeper' })).text).toHaveLength(1)
})

test('two labs of one variable are refused by name', async () => {
  addRabbit('second', ['r1'])

  await expect(env({})).rejects.toThrow('rabbitmq and second both set AMQP_URL; choose one with --name')
})

test('a node that one lab alone has names the lab', () => {
  expect(openLabOf('zk1', undefined).name).toBe('zookeeper')
  expect(openLabOf('rabbit1', undefined).name).toBe('rabbitmq')
  expect(openLabOf('both', 'zookeeper').name).toBe('zookeeper')
})

test('a node that several labs have is refused with the choices', () => {
  expect(() => openLabOf('both', undefined)).toThrow(
    "several labs have a node 'both': rabbitmq, zookeeper; choose one with --name",
  )
  expect(() => openLabOf('rabit1', undefined)).toThrow(
    "no lab has a node 'rabit1': rabbitmq has rabbit1, both; zookeeper has zk1, both; did you mean 'rabbit1'?",
  )
})

test('a lab that cannot be asked does not hide the others', async () => {
  answer('rabbitmq', { result: { lab: 'rabbitmq', agreed: true, phase: { kind: 'formed' }, nodes: [] } })
  answer('zookeeper', { error: { code: 'timed-out', message: 'no answer' } })

  const shown = await status({}, context)

  expect(shown.text).toContain('FAILED  zookeeper: no answer')
  expect(shown.text.join()).toContain('rabbitmq')
  expect(shown.json).toMatchObject({
    labs: [{ lab: 'rabbitmq' }],
    failed: [{ lab: 'zookeeper', error: { code: 'timed-out', message: 'no answer' } }],
  })
  expect(shown.exitCode).toBe(1)
  await expect(status({ name: 'zookeeper' }, context)).rejects.toThrow('no answer')
})

test('a lab that cannot be ended does not hide which ones have ended', async () => {
  answer('rabbitmq', { error: { code: 'timed-out', message: 'no answer' } })
  answer('zookeeper', { result: null })

  const shown = await down({ all: true }, context)

  expect(shown.text).toEqual(['zookeeper has ended and is removed', 'FAILED  rabbitmq: no answer'])
  expect(shown.exitCode).toBe(1)
})

// The supervisor of the lab, which answers every request alike.
function answer(lab: string, reply: unknown): void {
  const folder = join(home, 'labs', lab)
  const path = join(folder, 'c')
  const server = createServer((socket) => socket.once('data', () => socket.end(`${JSON.stringify(reply)}\n`)))
  servers.push(server.listen(path))
  mkdirSync(join(folder, 'supervisor'))
  const lock = { term: 1, supervisor: identify(process.pid), socket: path }
  writeFileSync(join(folder, 'supervisor/1'), JSON.stringify(lock))
}

function addRabbit(lab: string, nodes: readonly string[]): void {
  const folder = join(home, 'labs', lab)
  write(lab, planRabbit(resolveRabbit({ kind: 'rabbitmq', nodes }, { ...rabbitDeployment, lab, folder })))
}

function write(lab: string, plan: unknown): void {
  mkdirSync(join(home, 'labs', lab), { recursive: true })
  writeFileSync(join(home, 'labs', lab, 'plan.json'), JSON.stringify(plan))
}
