import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { settle } from '@ha/core/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Plan } from '../../src/model/plan.ts'
import { resolveRabbit } from '../../src/rabbitmq/model.ts'
import { planRabbit } from '../../src/rabbitmq/plan.ts'
import { spread } from '../../src/sandbox/spread.ts'
import { Book } from '../../src/supervisor/book.ts'
import { Levers } from '../../src/supervisor/levers.ts'
import { place } from '../rabbitmq/place.ts'

const plan = planRabbit(resolveRabbit({ kind: 'rabbitmq' }, place))
// Of a boot that is over: no signal can reach anybody.
const id = { pid: 1, startTicks: '0', bootId: 'none' }

let folder: string
let book: Book
let did: string[]
let failures: Error[]
let levers: Levers

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-levers-'))
  book = new Book(join(folder, 'events.jsonl'))
  did = []
  failures = []
  for (const { name } of plan.nodes) {
    book.record({ type: 'process-started', process: name, id })
    book.record({ type: 'process-up', process: name, elapsedMs: 1 })
  }
  levers = leversOf(plan)
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const leversOf = (plan: Plan): Levers =>
  new Levers({
    plan,
    book,
    signal: new AbortController().signal,
    fail: (error) => failures.push(error),
    processes: {
      running: (name) => (book.state.processes[name]?.kind === 'up' ? id : undefined),
      start: async (name) => void did.push(`start ${name}`),
      end: async (name, how) => void did.push(`${how} ${name}`),
      restart: async (name) => void did.push(`restart ${name}`),
    },
    run: async ({ stdin }) => {
      did.push(stdin.trim())
      return { status: 0, stdout: '', stderr: '' }
    },
    aftercare: {
      begin: ({ name }, occasion) => void did.push(`${name} ${occasion}`),
      leave: async (name) => void did.push(`leave ${name}`),
      abandon: (name) => void did.push(`abandon ${name}`),
    },
  })

const breakNode = (action: 'kill' | 'stop' | 'pause', healsAt: number): void =>
  book.record({ type: 'fault-begun', fault: { node: 'rabbit2', action, begunAt: 0, healsAt } })

test('a node that was frozen is looked after when it wakes', async () => {
  breakNode('pause', Number.MAX_SAFE_INTEGER)

  await levers.heal('rabbit2')

  expect(did).toEqual(['start rabbit2', 'leave rabbit2', 'rabbit2 woke'])
})

test('a node that runs without a fault is not known to be at fault: all are looked after', async () => {
  await levers.heal('rabbit2')
  await settle()

  expect(did.filter((what) => what.endsWith('found'))).toEqual([
    'rabbit1 found',
    'rabbit2 found',
    'rabbit3 found',
  ])
})

test('a node that was down joins by itself', async () => {
  book.record({ type: 'process-ended', process: 'rabbit2', asked: false })

  await levers.heal('rabbit2')

  expect(did).toEqual(['start rabbit2'])
})

test('a restart begins when nobody looks after the node any more', async () => {
  await levers.restart('rabbit2')

  expect(did.slice(-3)).toEqual(['start rabbit2', 'leave rabbit2', 'restart rabbit2'])
})

test.each([
  ['stop', ['leave rabbit2', 'SIGTERM rabbit2']],
  ['kill', ['abandon rabbit2', 'SIGKILL rabbit2']],
  ['pause', ['abandon rabbit2']],
] as const)('%s takes the node from whoever looks after it', async (action, expected) => {
  await levers.pull({ node: 'rabbit2', action, forMs: 1000 })

  expect(did).toEqual(expected)
})

test('a new supervisor looks after every node that runs without a fault', async () => {
  breakNode('pause', Number.MAX_SAFE_INTEGER)
  book.record({ type: 'process-ended', process: 'rabbit3', asked: false })

  levers.lookAfterAll()
  await settle()

  expect(did).toEqual(['start rabbit1', 'leave rabbit1', 'rabbit1 found'])
})

test('a heal that cannot be written down is told to the supervisor', async () => {
  breakNode('pause', 0)
  rmSync(folder, { recursive: true })

  levers.healOverdue(1)
  await settle()

  expect(failures).toHaveLength(1)
})

test('a fault without an end is refused, whoever asks', async () => {
  const request = { node: 'rabbit2', action: 'pause', forMs: Number.NaN } as const

  await expect(levers.pull(request)).rejects.toThrow('pause.forMs: expected a whole number of milliseconds')
})

test('a fault that the node does not know is refused, and nothing is written down', async () => {
  const before = book.events.length

  expect(() => levers.pull({ node: 'rabbit2', action: 'isolate', forMs: 1 })).toThrow(
    'isolate rabbit2: a node of rabbitmq like this knows only kill, stop, pause',
  )
  expect([did, book.events.length]).toEqual([[], before])
})

describe('in a sandbox', () => {
  const mend = spread(plan, { kind: 'sandbox', folder: '/s' }).nodes[1]?.levers.partition?.heal.stdin.trim()

  beforeEach(() => {
    levers = leversOf(spread(plan, { kind: 'sandbox', folder: '/s' }))
    book.record({
      type: 'fault-begun',
      fault: { node: 'rabbit2', action: 'partition', begunAt: 0, healsAt: Number.MAX_SAFE_INTEGER },
    })
  })

  test('a partitioned node that ended is reached again before it is started', async () => {
    book.record({ type: 'process-ended', process: 'rabbit2', asked: false })

    await levers.heal('rabbit2')

    expect(did).toEqual([mend, 'start rabbit2'])
  })

  test('a partitioned node that ran is looked after when it is reached again', async () => {
    await levers.heal('rabbit2')

    expect(did).toEqual([mend, 'start rabbit2', 'leave rabbit2', 'rabbit2 woke'])
  })
})

test('a partition outside of a sandbox is refused, with what to type', () => {
  expect(() => levers.pull({ node: 'rabbit2', action: 'partition', forMs: 1 })).toThrow(
    'partition rabbit2: this needs a network for each node; type: hactl sandbox -- bash, and in there: hactl up rabbitmq',
  )
})
