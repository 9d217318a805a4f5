import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Lab } from '../../src/client/lab.ts'
import { startLab } from '../../src/client/start-lab.ts'
import { Journal } from '../../src/lab/journal.ts'
import { labsHome } from '../../src/machine/lab-folder.ts'
import type { LabPlan } from '../../src/model/plan.ts'
import { resolveRabbit } from '../../src/rabbitmq/model.ts'
import { planRabbit } from '../../src/rabbitmq/plan.ts'
import { deployment } from '../rabbitmq/deployment.ts'

let folder: string
let plan: LabPlan

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'hactl-lab-')), 'shop')
  mkdirSync(folder)
  plan = planRabbit(resolveRabbit({ kind: 'rabbitmq', nodes: 1 }, { ...deployment, folder }))
  new Journal(join(folder, 'events.jsonl')).record({
    type: 'failed',
    code: 'port-taken',
    message: 'it is taken',
  })
})
afterEach(() => {
  rmSync(join(folder, '..'), { recursive: true })
})

test('a lab that failed before it could be asked says why', async () => {
  await expect(new Lab(folder, plan).formed()).rejects.toMatchObject({
    code: 'port-taken',
    message: 'it is taken',
  })
})

test('a fault without an end is refused before anybody is asked', async () => {
  const lab = new Lab(folder, plan)

  for (const forMs of [Number.POSITIVE_INFINITY, Number.NaN, 0, -1]) {
    await expect(lab.pause('rabbit1', { forMs })).rejects.toThrow('pause.forMs: expected a whole number')
  }
  await expect(lab.ready({ timeoutMs: Number.NaN })).rejects.toThrow(
    'ready.timeoutMs: expected a whole number',
  )
})

test('the end of a lab that failed leaves nothing, and may be asked for twice', async () => {
  const lab = new Lab(folder, plan)

  await lab.down()
  await lab.down()

  expect(() => rmSync(folder, { recursive: true })).toThrow('ENOENT')
})

test('a start that fails before there is a lab leaves no link to its home', async () => {
  const home = join(folder, '..', 'jürgen')

  await expect(startLab({ kind: 'zookeeper' }, { home, root: folder })).rejects.toThrow('root')

  expect(existsSync(labsHome(home))).toBe(false)
})
