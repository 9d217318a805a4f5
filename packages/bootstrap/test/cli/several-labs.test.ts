import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { env } from '../../src/cli/verbs.ts'
import { openLabOf } from '../../src/client/find-labs.ts'
import { resolveRabbit } from '../../src/rabbitmq/model.ts'
import { planRabbit } from '../../src/rabbitmq/plan.ts'
import { resolveZookeeper } from '../../src/zookeeper/model.ts'
import { planZookeeper } from '../../src/zookeeper/plan.ts'
import { deployment as rabbitDeployment } from '../rabbitmq/deployment.ts'
import { zookeeperDeployment } from '../zookeeper/deployment.ts'

let home: string

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

function addRabbit(lab: string, nodes: readonly string[]): void {
  const folder = join(home, 'labs', lab)
  write(lab, planRabbit(resolveRabbit({ kind: 'rabbitmq', nodes }, { ...rabbitDeployment, lab, folder })))
}

function write(lab: string, plan: unknown): void {
  mkdirSync(join(home, 'labs', lab), { recursive: true })
  writeFileSync(join(home, 'labs', lab, 'plan.json'), JSON.stringify(plan))
}
