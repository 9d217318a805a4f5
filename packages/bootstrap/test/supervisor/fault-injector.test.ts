import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeClock, settle } from '@ha/core/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Journal } from '../../src/lab/journal.ts'
import type { LabPlan } from '../../src/model/plan.ts'
import { resolveRabbit } from '../../src/rabbitmq/model.ts'
import { planRabbit } from '../../src/rabbitmq/plan.ts'
import { planForNetwork } from '../../src/sandbox/sandbox-plan.ts'
import { FaultInjector } from '../../src/supervisor/fault-injector.ts'
import { deployment } from '../rabbitmq/deployment.ts'

const plan = planRabbit(resolveRabbit({ kind: 'rabbitmq' }, deployment))
// Of a boot that is over: no signal can reach anybody.
const id = { pid: 1, startTicks: '0', bootId: 'none' }

let folder: string
let journal: Journal
let did: string[]
let failures: Error[]
let faults: FaultInjector

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-faults-'))
  journal = new Journal(join(folder, 'events.jsonl'))
  did = []
  failures = []
  for (const { name } of plan.nodes) {
    journal.record({ type: 'process-started', process: name, id })
    journal.record({ type: 'process-up', process: name, elapsedMs: 1 })
  }
  faults = injectorFor(plan)
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const injectorFor = (plan: LabPlan): FaultInjector =>
  new FaultInjector(
    {
      plan,
      journal,
      clock: new FakeClock(),
      signal: new AbortController().signal,
      fail: (error) => failures.push(error),
      run: async ({ stdin }) => {
        did.push(stdin.trim())
        return { status: 0, stdout: '', stderr: '' }
      },
    },
    {
      processes: {
        running: (name) => (journal.state.processes[name]?.kind === 'up' ? id : undefined),
        start: async (name) => void did.push(`start ${name}`),
        end: async (name, how) => void did.push(`${how} ${name}`),
        restart: async (name) => void did.push(`restart ${name}`),
      },
      repair: {
        watch: ({ name }, trigger) => void did.push(`${name} ${trigger}`),
        release: async (name) => void did.push(`leave ${name}`),
        cancel: (name) => void did.push(`abandon ${name}`),
      },
    },
  )

const breakNode = (action: 'kill' | 'stop' | 'pause', healsAt: number): void =>
  journal.record({ type: 'fault-begun', fault: { node: 'rabbit2', action, begunAt: 0, healsAt } })

test('a node that was frozen is looked after when it wakes', async () => {
  breakNode('pause', Number.MAX_SAFE_INTEGER)

  await faults.heal('rabbit2')

  expect(did).toEqual(['start rabbit2', 'leave rabbit2', 'rabbit2 resumed'])
})

test('a node that runs without a fault is not known to be at fault: all are looked after', async () => {
  await faults.heal('rabbit2')
  await settle()

  expect(did.filter((what) => what.endsWith('adopted'))).toEqual([
    'rabbit1 adopted',
    'rabbit2 adopted',
    'rabbit3 adopted',
  ])
})

test('a node that was down joins by itself', async () => {
  journal.record({ type: 'process-ended', process: 'rabbit2', asked: false })

  await faults.heal('rabbit2')

  expect(did).toEqual(['start rabbit2'])
})

test('a restart begins when nobody looks after the node any more', async () => {
  await faults.restart('rabbit2')

  expect(did.slice(-3)).toEqual(['start rabbit2', 'leave rabbit2', 'restart rabbit2'])
})

test.each([
  ['stop', ['leave rabbit2', 'SIGTERM rabbit2']],
  ['kill', ['abandon rabbit2', 'SIGKILL rabbit2']],
  ['pause', ['abandon rabbit2']],
] as const)('%s takes the node from whoever looks after it', async (action, expected) => {
  await faults.inject({ node: 'rabbit2', action, forMs: 1000 })

  expect(did).toEqual(expected)
})

test('a new supervisor looks after every node that runs without a fault', async () => {
  breakNode('pause', Number.MAX_SAFE_INTEGER)
  journal.record({ type: 'process-ended', process: 'rabbit3', asked: false })

  faults.watchAllMembers()
  await settle()

  expect(did).toEqual(['start rabbit1', 'leave rabbit1', 'rabbit1 adopted'])
})

test('a heal that cannot be written down is told to the supervisor', async () => {
  breakNode('pause', 0)
  rmSync(folder, { recursive: true })

  faults.healExpired()
  await settle()

  expect(failures).toHaveLength(1)
})

test('a fault without an end is refused, whoever asks', async () => {
  const request = { node: 'rabbit2', action: 'pause', forMs: Number.NaN } as const

  await expect(faults.inject(request)).rejects.toThrow('pause.forMs: expected a whole number of milliseconds')
})

test('a fault that the node does not know is refused, and nothing is written down', async () => {
  const before = journal.events.length

  expect(() => faults.inject({ node: 'rabbit2', action: 'isolate', forMs: 1 })).toThrow(
    'isolate rabbit2: RabbitMQ nodes support the faults kill, stop, pause',
  )
  expect([did, journal.events.length]).toEqual([[], before])
})

describe('in a sandbox', () => {
  const mend = planForNetwork(plan, {
    kind: 'sandbox',
    folder: '/s',
  }).nodes[1]?.levers.partition?.heal.stdin.trim()

  beforeEach(() => {
    faults = injectorFor(planForNetwork(plan, { kind: 'sandbox', folder: '/s' }))
    journal.record({
      type: 'fault-begun',
      fault: { node: 'rabbit2', action: 'partition', begunAt: 0, healsAt: Number.MAX_SAFE_INTEGER },
    })
  })

  test('a partitioned node that ended is reached again before it is started', async () => {
    journal.record({ type: 'process-ended', process: 'rabbit2', asked: false })

    await faults.heal('rabbit2')

    expect(did).toEqual([mend, 'start rabbit2'])
  })

  test('a partitioned node that ran is looked after when it is reached again', async () => {
    await faults.heal('rabbit2')

    expect(did).toEqual([mend, 'start rabbit2', 'leave rabbit2', 'rabbit2 resumed'])
  })
})

test('a partition outside of a sandbox is refused, with what to type', () => {
  expect(() => faults.inject({ node: 'rabbit2', action: 'partition', forMs: 1 })).toThrow(
    'partition rabbit2: partitions need a network for each node; run: hactl sandbox -- bash, then in it: hactl up rabbitmq',
  )
})
