import { type Lab, startLab } from '@ha/bootstrap'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endOurs, home, named, prepareHome } from './labs-home.ts'

let lab: Lab

beforeAll(async () => {
  await prepareHome()
  lab = await startLab({ kind: 'replication', detectMs: 1000 }, { home, name: named('replication') })
  await lab.ctl('db1', ['-e', 'CREATE TABLE ha.kept (n INT PRIMARY KEY)'])
})
afterAll(endOurs)

const ask = async (node: string, sql: string): Promise<string> => (await lab.ctl(node, ['-e', sql])).trim()

test('replicas apply what the primary writes, and take no writes of applications', async () => {
  await ask('db1', 'INSERT INTO ha.kept VALUES (1)')
  await lab.ready()

  expect(await ask('db3', 'SELECT n FROM ha.kept')).toBe('1')
  expect(await ask('db3', 'SELECT @@read_only')).toBe('1')
})

test('a replica whose applier is stopped falls behind, and catches up when it is healed', async () => {
  const fault = await lab.stopApplier('db2')
  await ask('db1', 'INSERT INTO ha.kept VALUES (2)')

  expect(await lab.status()).toMatchObject({ agreed: false, because: 'db2: its applier does not run' })
  await fault.heal()
  await lab.ready()

  expect(await ask('db2', 'SELECT COUNT(*) FROM ha.kept')).toBe('2')
})

test('a killed primary comes back, and its replicas follow it again', async () => {
  const fault = await lab.kill('db1')

  await fault.heal()
  await lab.ready()
  await ask('db1', 'INSERT INTO ha.kept VALUES (3)')
  await lab.ready()

  expect(await ask('db2', 'SELECT COUNT(*) FROM ha.kept')).toBe('3')
})

test('a primary can be read-only, a replica cannot be healed of it', async () => {
  const fault = await lab.readOnly('db1')

  expect((await lab.status()).because).toBe('db1: it is read-only')
  await expect(lab.readOnly('db2')).rejects.toThrow('support the faults kill, stop, pause, stop-applier')
  await fault.heal()
  await lab.ready()
})
