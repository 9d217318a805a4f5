import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeClock } from '@ha/core/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { resolveGalera } from '../../src/galera/model.ts'
import { planGalera } from '../../src/galera/plan.ts'
import { Journal } from '../../src/lab/journal.ts'
import type { LabPlan } from '../../src/model/plan.ts'
import { resolveRabbit } from '../../src/rabbitmq/model.ts'
import { planRabbit } from '../../src/rabbitmq/plan.ts'
import { assessRecovery, type RecoveryDeps, recover } from '../../src/supervisor/recovery.ts'
import { mariadbDeployment } from '../mariadb/deployment.ts'
import { deployment } from '../rabbitmq/deployment.ts'

const id = { pid: 1, startTicks: '0', bootId: 'none' }
const history = '721f2781-eba1-4cc6-a958-e0014e0cd70f'

let folder: string
let journal: Journal
let plan: LabPlan
let did: string[]
let up: Set<string>
let refusesToStart: readonly string[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-recovery-'))
  journal = new Journal(join(folder, 'events.jsonl'))
  plan = planGalera(resolveGalera({ kind: 'galera' }, { ...mariadbDeployment, dataFolder: folder }))
  did = []
  up = new Set()
  refusesToStart = []
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const stateFile = (node: string): string => join(folder, node, 'grastate.dat')
const stopped = (node: string, seqno: number, safe: 0 | 1, view = ''): void => {
  mkdirSync(join(folder, node), { recursive: true })
  writeFileSync(stateFile(node), `uuid: ${history}\nseqno: ${seqno}\nsafe_to_bootstrap: ${safe}\n`)
  if (view !== '') writeFileSync(join(folder, node, 'gvwstate.dat'), `#vwbeg\n${view}\n#vwend\n`)
}
const deps = (): RecoveryDeps => ({
  plan,
  journal,
  clock: new FakeClock(),
  signal: new AbortController().signal,
  processes: {
    running: (name) => (up.has(name) ? id : undefined),
    start: async (name, _, founding) => {
      did.push(['start', name, ...(founding ?? [])].join(' '))
      if (founding?.length === 0 && refusesToStart.includes(name)) throw new Error('no primary component')
      up.add(name)
    },
    end: async (name) => {
      did.push(`end ${name}`)
      up.delete(name)
    },
  },
  run: async ({ argv, stdin }) => {
    if (argv.includes('--wsrep-recover')) return answer(`Recovered position: ${history}:9`)
    if (stdin.includes('pc.bootstrap')) did.push('promote')
    return answer(
      `wsrep_cluster_status\tPrimary\nwsrep_local_state_uuid\t${history}\nwsrep_last_committed\t9`,
    )
  },
})
const answer = (stdout: string) => ({ status: 0, stdout, stderr: '' })
const marks = (): readonly boolean[] =>
  ['db1', 'db2', 'db3'].map((node) => readFileSync(stateFile(node), 'utf8').includes('bootstrap: 1'))

test('the one that stopped last founds the cluster, alone marked, and the others join one by one', async () => {
  stopped('db1', 4, 0)
  stopped('db2', 6, 1)
  stopped('db3', 5, 0)
  journal.record({ type: 'fault-begun', fault: { node: 'db1', action: 'stop', begunAt: 1, healsAt: 2 } })

  const { decision } = await recover(deps(), [])

  expect(decision).toMatchObject({ kind: 'bootstrap', node: 'db2' })
  expect(did).toEqual(['start db2 --wsrep-new-cluster', 'start db1', 'start db3'])
  expect(marks()).toEqual([false, true, false])
  expect(journal.state.faults).toEqual({})
})

test('a mark of another node is taken away before anybody founds anything', async () => {
  stopped('db1', -1, 1)
  stopped('db2', 6, 0)
  stopped('db3', 5, 0)

  await recover(deps(), [])

  expect(did[0]).toBe('start db1 --wsrep-new-cluster')
  expect(marks()).toEqual([true, false, false])
})

test('looking changes nothing', async () => {
  stopped('db1', 4, 0)
  stopped('db2', 6, 1)
  stopped('db3', -1, 0)

  const { evidence, decision } = await assessRecovery(deps(), [])

  expect(decision).toEqual({
    kind: 'refuse',
    because: 'db2 is marked as the last to stop, but db3 is ahead of it',
  })
  expect(evidence[2]?.standing).toMatchObject({ position: 9, from: 'wsrep-recover' })
  expect([did, marks()]).toEqual([[], [false, true, false]])
})

test('what is refused is an error, and nothing was done', async () => {
  stopped('db1', 4, 1)
  stopped('db2', 4, 1)
  stopped('db3', 4, 0)

  await expect(recover(deps(), [])).rejects.toMatchObject({ code: 'recovery-refused' })
  expect(did).toEqual([])
})

test('those that crashed in one view start at once, and only when that fails is one of them chosen', async () => {
  for (const node of ['db1', 'db2', 'db3']) stopped(node, -1, 0, 'v')
  refusesToStart = ['db3']

  const { decision } = await recover(deps(), [])

  expect(decision).toMatchObject({ kind: 'bootstrap', node: 'db1' })
  expect(did).toEqual([
    ...['start db1', 'start db2', 'start db3'],
    ...['end db1', 'end db2', 'end db3'],
    ...['start db1 --wsrep-new-cluster', 'start db2', 'start db3'],
  ])
})

test('a node whose data are given up joins like one that never had any', async () => {
  stopped('db1', 4, 0)
  stopped('db2', 5, 0)
  stopped('db3', 99, 0)

  await recover(deps(), ['db3'])

  expect(did[0]).toBe('start db2 --wsrep-new-cluster')
  expect(existsSync(stateFile('db3'))).toBe(false)
})

test('a kind that comes back by itself has nothing to recover', async () => {
  plan = planRabbit(resolveRabbit({ kind: 'rabbitmq' }, deployment))

  await expect(assessRecovery(deps(), [])).rejects.toThrow('nodes of rabbitmq recover by themselves')
})
