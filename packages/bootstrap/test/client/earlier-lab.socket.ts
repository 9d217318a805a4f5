import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findLabs, openLab } from '@ha/bootstrap'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { plainLines, statusLines } from '../../src/cli/output.ts'
import { supportedFaults } from '../../src/lab/faults.ts'
import { Journal } from '../../src/lab/journal.ts'
import { findPlan } from '../../src/machine/lab-folder.ts'
import { identify } from '../../src/machine/process-table.ts'

// The folder of a lab, file by file, as the version of 2026-11-30 wrote it: its files and what is in them are a promise
// to labs that run while hactl is replaced.
const earlier = fileURLToPath(new URL('../fixtures/lab-v1', import.meta.url))

let home: string
let folder: string
let server: Server | undefined

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hactl-earlier-'))
  folder = join(home, 'labs', 'shop')
  mkdirSync(join(home, 'labs'))
  cpSync(earlier, folder, { recursive: true })
  for (const name of ['plan.json', 'events.jsonl', 'supervisor/1']) {
    const path = join(folder, name)
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll('/labs/shop', folder))
  }
})
afterEach(() => {
  server?.close()
  server = undefined
  rmSync(home, { recursive: true })
})

// A supervisor of the earlier version: it holds the first term, and gives one answer to whatever it is asked.
const superviseWith = async (answer: unknown): Promise<readonly unknown[]> => {
  const requests: unknown[] = []
  const socket = join(folder, 'control.sock')
  server = createServer((client) =>
    client.once('data', (line) => {
      requests.push(JSON.parse(String(line)))
      client.end(`${JSON.stringify({ result: answer })}\n`)
    }),
  )
  await new Promise<void>((resolve) => server?.listen(socket, resolve))
  const lock = { term: 1, supervisor: identify(process.pid), socket }
  writeFileSync(join(folder, 'supervisor', '1'), JSON.stringify(lock))
  return requests
}
const record = (event: object): void =>
  writeFileSync(join(folder, 'events.jsonl'), `${JSON.stringify(event)}\n`, { flag: 'a' })

test('a lab of the earlier version is found with its nodes, their processes and their logs', () => {
  const [lab] = findLabs({ home })

  expect(lab).toMatchObject({ name: 'shop', kind: 'galera', version: '10.11.19', hasFailed: false })
  expect(lab?.url).toBe('jdbc:mariadb:sequential://127.0.0.1:21000,127.0.0.1:21004/ha?user=ha&password=ha')
  expect(lab?.nodes.map(({ name, pid }) => [name, pid])).toEqual([
    ['db1', 4711],
    ['db2', null],
    ['garb', 4713],
  ])
  expect(lab?.nodes[0]).toMatchObject({
    endpoint: { host: '127.0.0.1', port: 21000 },
    logPath: join(folder, 'logs/db1.log'),
  })
})

test('its journal is read to the same state, and every record is described', () => {
  const { state, events } = new Journal(join(folder, 'events.jsonl'))

  expect(state.phase).toEqual({ kind: 'formed' })
  expect(state.processes).toMatchObject({ db1: { kind: 'up' }, db2: { kind: 'down' }, garb: { kind: 'up' } })
  expect(state.faults).toMatchObject({ db1: { node: 'db1', action: 'read-only' } })
  expect(events.map(({ type }) => type)).toHaveLength(24)

  const shown: string[] = []
  const progress = plainLines({ isInteractive: false, write: (line) => void shown.push(line) })
  for (const event of events) progress.show(event)
  // All but the seven that are bookkeeping: one that is supervised, three that are starting, three that are started.
  expect(shown).toHaveLength(17)
})

test('its plan holds the faults, the repair and the recovery of each node', () => {
  const plan = findPlan(folder)
  const [db1] = plan?.nodes ?? []

  expect(db1 && supportedFaults(db1)).toEqual([
    ...['kill', 'stop', 'pause'],
    ...['isolate', 'desync', 'reject-queries', 'read-only'],
  ])
  expect(db1?.levers['read-only']?.heal.stdin).toBe('SET GLOBAL read_only = 0;\n')
  expect(db1?.repair).toEqual({ command: null, patienceMs: 30_000 })
  expect(plan?.recovery?.founding).toEqual(['--wsrep-new-cluster'])
  expect(plan?.form.map((step) => step.do)).toEqual(['run', 'run', 'found', 'start', 'start', 'agree'])
})

test('a supervisor of the earlier version that still runs is asked in its own words', async () => {
  const lab = openLab('shop', { home })
  const requests = await superviseWith({ lab: 'shop', agreed: true })

  expect(await lab.status()).toEqual({ lab: 'shop', agreed: true })
  await lab.pause('db1', { forMs: 1000 })
  await lab.resume('db1')
  await lab.restart('db1')
  await lab.ready({ timeoutMs: 1000 })
  await lab.recovery({ assumeLost: ['db2'] })
  await lab.recover()
  await lab.formed()
  await lab.follow(() => undefined)
  await lab.down()

  expect(requests).toEqual([
    { verb: 'status' },
    { verb: 'fault', action: 'pause', node: 'db1', forMs: 1000 },
    { verb: 'resume', node: 'db1' },
    { verb: 'restart', node: 'db1' },
    { verb: 'ready', timeoutMs: 1000 },
    { verb: 'consider', assumeLost: ['db2'] },
    { verb: 'recover', assumeLost: [] },
    { verb: 'formed' },
    { verb: 'follow' },
    { verb: 'down' },
  ])
})

test('one that has ended or failed is shown without a supervisor', async () => {
  record({ type: 'failed', code: 'port-taken', message: 'port 21000 is taken', seq: 25, at: 1 })
  const lab = openLab('shop', { home })

  const status = await lab.status()

  expect(status).toMatchObject({ phase: { kind: 'failed', code: 'port-taken' }, agreed: false })
  expect(status.nodes.map(({ name, standing }) => [name, standing])).toEqual([
    ['db1', 'read-only'],
    ['db2', 'down'],
    ['garb', 'running'],
  ])
  expect(statusLines(status)).toContain('FAILED  port 21000 is taken')

  record({ type: 'ended', seq: 26, at: 2 })
  expect(statusLines(await lab.status())[0]).toContain('has ended')
})
