import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Lab, startLab } from '@ha/bootstrap'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type StrangerMariadb, startStrangerMariadb } from './foreign-mariadb.ts'
import { listeningAddresses, marked, processState } from './kernel.ts'
import { endOurs, home, named, prepareHome } from './labs-home.ts'

let lab: Lab
let stranger: StrangerMariadb

beforeAll(async () => {
  await prepareHome()
  stranger = await startStrangerMariadb()
  lab = await startLab({ kind: 'galera', detectMs: 1000 }, { home, name: named('galera') })
  await lab.ctl('db1', ['-e', 'CREATE TABLE ha.kept (n INT PRIMARY KEY)'])
})
afterAll(async () => {
  await endOurs()
  await stranger.end()
})

const logOf = (node: string): string =>
  readFileSync(lab.nodes.find(({ name }) => name === node)?.logPath ?? '', 'utf8')
const ask = async (node: string, sql: string): Promise<string> => (await lab.ctl(node, ['-e', sql])).trim()
const isHealedByDeadline = (node: string): boolean =>
  lab
    .events()
    .some((event) => event.type === 'fault-healed' && event.node === node && event.because === 'deadline')
const becauseOf = async (node: string): Promise<string> => {
  const view = (await lab.status()).nodes.find(({ name }) => name === node)?.view
  return view !== undefined && 'because' in view ? view.because : ''
}

test('three nodes agree, and what one writes all have', async () => {
  await ask('db1', 'INSERT INTO ha.kept VALUES (1)')

  expect((await lab.status()).agreed).toBe(true)
  expect(await ask('db3', 'SET wsrep_sync_wait = 1; SELECT n FROM ha.kept')).toBe('1')
})

test('they listen on the loopback interface only', () => {
  const addresses = lab.nodes.flatMap((node) => listeningAddresses(node.pid ?? 0))

  expect(addresses.length).toBeGreaterThanOrEqual(6)
  expect([...new Set(addresses)]).toEqual(['127.0.0.1'])
})

test('a frozen node is woken when its time is over, and joins the others again', async () => {
  await lab.pause('db2', { forMs: 4_000 })

  await expect.poll(() => processState(lab.nodes[1]?.pid ?? 0)).toBe('T')
  await expect.poll(() => isHealedByDeadline('db2')).toBe(true)
  await lab.ready()
})

test('a killed node comes back with its port, and is given only what it missed', async () => {
  const before = lab.nodes[2]
  const fault = await lab.kill('db3')

  await fault.heal()
  await lab.ready()

  expect(lab.nodes[2]?.endpoint).toEqual(before?.endpoint)
  expect(lab.nodes[2]?.pid).not.toBe(before?.pid)
  expect(logOf('db3')).not.toContain('SST completed')
})

test('an isolated node has no majority, until it is healed', async () => {
  const fault = await lab.isolate('db3')

  await expect.poll(() => becauseOf('db3')).toContain('it has no majority')
  expect(processState(lab.nodes[2]?.pid ?? 0)).not.toBe('T')
  await fault.heal()
  await lab.ready()
})

test.each([
  ['desync', 'it is not Synced'],
  ['reject-queries', 'it rejects queries'],
  ['read-only', 'it is read-only'],
] as const)('%s lasts as long as its lease', async (action, because) => {
  const fault = await lab.fault(action, 'db2')

  expect(await becauseOf('db2')).toContain(because)
  await fault.heal()
  await lab.ready()
})

test('a fault of another kind is refused, with those that the node knows', async () => {
  await expect(lab.stopApplier('db2')).rejects.toMatchObject({
    code: 'fault-refused',
    message: expect.stringContaining('support the faults kill, stop, pause, isolate'),
  })
})

test('after a full stop no node begins a cluster by itself, and the farthest one brings all of them back', async () => {
  await lab.stop('db1')
  await ask('db2', 'INSERT INTO ha.kept VALUES (2)')
  await lab.stop('db2')
  await expect.poll(() => ask('db3', "SHOW STATUS LIKE 'wsrep_cluster_size'")).toContain('1')
  await ask('db3', 'INSERT INTO ha.kept VALUES (3)')
  await lab.stop('db3')

  await expect(lab.resume('db1')).rejects.toThrow('hactl recover galera')
  const { decision } = await lab.recover()
  await lab.ready()

  expect(decision).toMatchObject({ kind: 'bootstrap', node: 'db3' })
  expect(await ask('db1', 'SELECT n FROM ha.kept ORDER BY n')).toBe('1\n2\n3')
  expect(lab.nodes.every(({ pid }) => pid !== null)).toBe(true)
})

test('the end leaves nothing, and the server of somebody else never noticed', async () => {
  const plan = JSON.parse(readFileSync(join(lab.folder, 'plan.json'), 'utf8'))
  const dataFolder = plan.processes[0].folder

  expect(existsSync(dataFolder)).toBe(true)
  await lab.down()

  expect(marked(lab.folder)).toEqual([])
  expect([existsSync(lab.folder), existsSync(dataFolder)]).toEqual([false, false])
  expect(await stranger.ask()).toBe('alive')
})
