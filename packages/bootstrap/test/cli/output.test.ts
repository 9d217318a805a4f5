import { expect, test } from 'vitest'
import {
  emptyTable,
  plainLines,
  statusLines,
  type TableState,
  tableLines,
  updateTable,
} from '../../src/cli/output.ts'
import type { LabEvent, RecordedEvent } from '../../src/lab/events.ts'
import { applyEvent, initialLabState } from '../../src/lab/state.ts'
import { statusWithoutSupervisor } from '../../src/lab/status.ts'
import { resolveRabbit } from '../../src/rabbitmq/model.ts'
import { planRabbit } from '../../src/rabbitmq/plan.ts'
import { deployment } from '../rabbitmq/deployment.ts'

const id = { pid: 7, startTicks: '99', bootId: 'b' }
const story: readonly LabEvent[] = [
  { type: 'working', on: 'starting rabbit1' },
  { type: 'process-starting', process: 'rabbit1' },
  { type: 'process-started', process: 'rabbit1', id },
  { type: 'process-up', process: 'rabbit1', elapsedMs: 3000 },
  { type: 'process-starting', process: 'rabbit2' },
]
const events = story.map((event, i): RecordedEvent => ({ ...event, seq: i + 1, at: 1000 * (i + 1) }))
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters.
const bare = (line: string): string => line.replaceAll(/\u001b\[\d*m/g, '')

test('the table shows where each process stands, and what is done now', () => {
  const table = events.reduce<TableState>(updateTable, emptyTable)

  expect(tableLines(table, 7000).map(bare)).toEqual([
    '✔ rabbit1  up',
    expect.stringMatching(/^. rabbit2 {2}starting {2}2\.0 s$/),
    '  rabbit1 is up after 3.0 s  6.0 s',
  ])
})

test('the table and the journal come to the same state', () => {
  const table = events.reduce<TableState>(updateTable, emptyTable)

  expect(table.lab).toEqual(events.reduce(applyEvent, initialLabState))
})

test('plain lines say each event once', () => {
  let out = ''
  const write = (text: string): void => {
    out += text
  }
  const progress = plainLines({ isInteractive: false, write })

  for (const event of events) progress.show(event)

  expect(out.split('\n').map((line) => line.slice(9))).toEqual([
    'starting rabbit1',
    'rabbit1 is up after 3.0 s',
    '',
  ])
})

test('a status is a sentence, a table and what needs attention', () => {
  const plan = planRabbit(resolveRabbit({ kind: 'rabbitmq', nodes: 1 }, deployment))

  expect(statusLines(statusWithoutSupervisor(plan, initialLabState))).toEqual([
    'shop  rabbitmq 3.10.8  is forming',
    'NODE     STATE  SEES  ADDRESS          PID  FAULT',
    'rabbit1  down   -     127.0.0.1:21001  -',
    'DISAGREE  rabbit1@localhost: the lab is not running',
  ])
})

test('the status of a lab that failed says why', () => {
  const plan = planRabbit(resolveRabbit({ kind: 'rabbitmq', nodes: 1 }, deployment))
  const phase = { kind: 'failed', code: 'port-taken', message: 'port 21001 is taken' } as const

  expect(statusLines(statusWithoutSupervisor(plan, { ...initialLabState, phase })).at(-1)).toBe(
    'FAILED  port 21001 is taken',
  )
})

test.each([
  ['rabbitmq', 'hactl up rabbitmq'],
  ['shop', 'hactl up rabbitmq --name shop'],
])('the status of the lab %s that went down as a whole names the way back', (lab, command) => {
  const plan = planRabbit(resolveRabbit({ kind: 'rabbitmq' }, { ...deployment, lab }))
  const status = statusWithoutSupervisor(plan, { ...initialLabState, phase: { kind: 'formed' } })

  expect(statusLines(status).at(-1)).toBe(`DOWN  to bring it back with its data, run: ${command}`)
})

test('the status of a lab of which one node ended names the node', () => {
  const plan = planRabbit(resolveRabbit({ kind: 'rabbitmq' }, deployment))
  const up = { kind: 'up', id } as const
  const status = statusWithoutSupervisor(plan, {
    ...initialLabState,
    phase: { kind: 'formed' },
    processes: { rabbit1: up, rabbit2: up },
  })

  expect(statusLines(status).at(-1)).toBe(`DOWN  rabbit3; run: hactl resume rabbit3 --name ${deployment.lab}`)
})
