import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deferred } from '@ha/core/driver'
import { FakeClock, settle } from '@ha/core/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Journal } from '../../src/lab/journal.ts'
import type { CommandResult } from '../../src/machine/run-command.ts'
import type { MemberAnswer, MemberView } from '../../src/model/membership.ts'
import type { PlannedNode } from '../../src/model/plan.ts'
import { resolveRabbit } from '../../src/rabbitmq/model.ts'
import { planRabbit } from '../../src/rabbitmq/plan.ts'
import { hasMajority, MemberRepair, mustRejoin, needsRepair } from '../../src/supervisor/member-repair.ts'
import { deployment } from '../rabbitmq/deployment.ts'

const plan = planRabbit(resolveRabbit({ kind: 'rabbitmq' }, deployment))
const members = plan.nodes.map(({ member }) => member)
const node = plan.nodes[1] as PlannedNode
const well: MemberView = { kind: 'answered', members, running: members, apart: [], history: null }
const apart: MemberView = { ...well, apart: ['rabbit1@localhost'] }
const down: MemberView = { kind: 'starting', because: 'its broker is not running' }
const repaired: CommandResult = { status: 0, stdout: '{ok, {ok, ok}}', stderr: '' }

let folder: string
let journal: Journal
let clock: FakeClock
let life: AbortController
let view: MemberView
let failures: Error[]
let repairs: { end(result: CommandResult): void; readonly signal: AbortSignal | undefined }[]
let asked: number
let restarts: string[]
let repair: MemberRepair

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hactl-repair-'))
  journal = new Journal(join(folder, 'events.jsonl'))
  for (const { name } of plan.nodes) {
    journal.record({ type: 'process-started', process: name, id: { pid: 1, startTicks: '1', bootId: 'b' } })
    journal.record({ type: 'process-up', process: name, elapsedMs: 1 })
  }
  clock = new FakeClock()
  life = new AbortController()
  view = well
  failures = []
  repairs = []
  asked = 0
  restarts = []
  repair = new MemberRepair(
    {
      plan,
      journal,
      clock,
      signal: life.signal,
      fail: (error) => failures.push(error),
      run: (_, { signal }) => {
        const end = deferred<CommandResult>()
        signal?.addEventListener('abort', () => end.resolve({ status: null, stdout: '', stderr: '' }))
        repairs.push({ end: end.resolve, signal })
        return end.promise
      },
    },
    {
      restart: async (name) => void restarts.push(name),
      probe: async () => {
        asked++
        return members.map((member): MemberAnswer => ({ member, view: member === node.member ? view : well }))
      },
    },
  )
})
afterEach(() => {
  life.abort()
  rmSync(folder, { recursive: true, force: true })
})

const told = (): readonly string[] =>
  journal.events.map(({ type }) => type).filter((type) => type.includes('repair'))

test('a member that agrees with the others is left alone after a second', async () => {
  repair.watch(node, 'resumed')
  await clock.advance(60_000)

  expect(repairs).toEqual([])
  expect(asked).toBeLessThan(10)
  expect(clock.pending).toBe(0)
})

test('a member that woke apart is repaired, and that is told when it has happened', async () => {
  view = apart
  repair.watch(node, 'resumed')
  await clock.advance(0)
  expect([repairs.length, told()]).toEqual([1, []])

  view = well
  repairs[0]?.end(repaired)
  await clock.advance(2_000)

  expect(told()).toEqual(['member-repaired'])
  expect(repairs).toHaveLength(1)
})

test.each<[string, CommandResult, string]>([
  ['ended with an error', { status: 1, stdout: '', stderr: 'no such node' }, 'no such node'],
  ['was cut off', { status: null, stdout: '', stderr: '' }, 'it did not answer'],
  ['answered with an error', { status: 0, stdout: '{ok, {ok, {error, x}}}', stderr: '' }, '{error, x}'],
])('a repair that %s is told as failed and tried again, not at once', async (_, result, because) => {
  view = apart
  repair.watch(node, 'resumed')
  await clock.advance(0)
  repairs[0]?.end(result)
  await clock.advance(1_900)
  expect(repairs).toHaveLength(1)
  await clock.advance(400)

  expect(repairs).toHaveLength(2)
  expect(journal.events.at(-1)).toMatchObject({
    type: 'repair-failed',
    because: expect.stringContaining(because),
  })
})

test('who leaves a node alone waits for the repair that is under way, and no other begins', async () => {
  view = apart
  repair.watch(node, 'resumed')
  await clock.advance(0)
  let hasLeft = false
  const leaving = repair.release(node.name).then(() => {
    hasLeft = true
  })
  await settle()
  expect(hasLeft).toBe(false)

  repairs[0]?.end(repaired)
  await leaving
  await clock.advance(60_000)

  expect(repairs).toHaveLength(1)
  expect(repairs[0]?.signal?.aborted).toBe(false)
})

test('who abandons a node ends its repair, and nothing is told of it', async () => {
  view = apart
  repair.watch(node, 'resumed')
  await clock.advance(0)

  repair.cancel(node.name)
  await clock.advance(60_000)

  expect(repairs.map(({ signal }) => signal?.aborted)).toEqual([true])
  expect(told()).toEqual([])
})

test('a node can be looked after again', async () => {
  repair.watch(node, 'resumed')
  await repair.release(node.name)
  view = apart

  repair.watch(node, 'resumed')
  await clock.advance(0)

  expect(repairs).toHaveLength(1)
})

test('a journal that cannot be written is told to the supervisor', async () => {
  view = apart
  repair.watch(node, 'resumed')
  await clock.advance(0)
  rmSync(folder, { recursive: true })

  repairs[0]?.end(repaired)
  await clock.advance(0)

  expect(failures).toHaveLength(1)
})

test('the end of the supervisor ends all of it', async () => {
  view = apart
  repair.watch(node, 'resumed')
  await clock.advance(0)

  life.abort(new Error('over'))
  await clock.advance(0)

  expect(repairs.map(({ signal }) => signal?.aborted)).toEqual([true])
  expect([clock.pending, failures.length]).toEqual([0, 0])
})

test.each<[string, boolean, boolean, number, boolean]>([
  ['one that is well', false, false, 0, true],
  ['one that is apart', true, true, 0, true],
  ['one that is apart in a minority', true, true, 0, false],
  ['one that has been down for a moment', false, false, 5_999, true],
  ['one that stays down', true, false, 6_000, true],
  ['one that is down in a minority, as it should be', false, false, 60_000, false],
])('%s: repair is %s', (_, expected, isApart, downMs, isMajority) => {
  expect(needsRepair({ isApart, downMs, isMajority }, 6_000)).toBe(expected)
})

test('a member without a command of its own is restarted when its time to come back is over', async () => {
  view = down
  repair.watch({ ...node, repair: { command: null, patienceMs: 30_000 } }, 'resumed')
  await clock.advance(29_900)
  expect(restarts).toEqual([])
  await clock.advance(200)

  expect(restarts).toEqual([node.name])
  expect(told()).toEqual(['member-repaired'])
})

test('a member that hangs in its start is restarted, since it would take no command', async () => {
  view = down
  repair.watch(node, 'resumed')
  await clock.advance(6_300)

  expect([repairs.length, restarts]).toEqual([0, [node.name]])
})

test('after a partition the lesser part yields, and the larger one does not', () => {
  const views = [
    { ...well, apart: ['rabbit3@localhost'] },
    { ...well, apart: ['rabbit3@localhost'] },
    {
      ...well,
      apart: ['rabbit1@localhost', 'rabbit2@localhost'],
    },
  ]
  const answers = members.map((member, i): MemberAnswer => ({ member, view: views[i] ?? down }))

  expect(members.map((member) => mustRejoin(member, answers, 'adopted'))).toEqual([false, false, true])
  expect(members.map((member) => mustRejoin(member, answers, 'resumed'))).toEqual([true, true, true])
})

test('a partition that only the lesser part knows of is none of the others’ business', () => {
  const answers = members.map(
    (member, i): MemberAnswer => ({ member, view: i === 2 ? { ...well, apart: members.slice(0, 2) } : well }),
  )

  expect(members.map((member) => mustRejoin(member, answers, 'adopted'))).toEqual([false, false, true])
})

test('of two equal parts the one without the first member yields', () => {
  const [a = '', b = ''] = members
  const pair = { ...well, members: [a, b], running: [a, b] }
  const answers: readonly MemberAnswer[] = [
    { member: a, view: { ...pair, apart: [b] } },
    { member: b, view: { ...pair, apart: [a] } },
  ]

  expect([a, b].map((member) => mustRejoin(member, answers, 'adopted'))).toEqual([false, true])
})

test('who is not apart or does not answer never yields', () => {
  const answers: readonly MemberAnswer[] = [{ member: node.member, view: down }]

  expect(mustRejoin(node.member, answers, 'resumed')).toBe(false)
  expect(mustRejoin('rabbit9', answers, 'resumed')).toBe(false)
})

test('a node with a fault does not count for the majority', () => {
  expect(hasMajority(journal.state, plan)).toBe(true)
  for (const name of ['rabbit1', 'rabbit2']) {
    journal.record({ type: 'fault-begun', fault: { node: name, action: 'pause', begunAt: 1, healsAt: 2 } })
  }
  expect(hasMajority(journal.state, plan)).toBe(false)
})
