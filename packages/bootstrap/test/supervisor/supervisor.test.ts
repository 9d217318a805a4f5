import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeClock } from '@ha/core/testing'
import { expect, test } from 'vitest'
import { Journal } from '../../src/lab/journal.ts'
import { resolveRabbit } from '../../src/rabbitmq/model.ts'
import { planRabbit } from '../../src/rabbitmq/plan.ts'
import { Supervisor } from '../../src/supervisor/supervisor.ts'
import { deployment } from '../rabbitmq/deployment.ts'

const talk = { send: () => undefined, signal: new AbortController().signal }

test('a supervisor whose journal cannot be written is done, also when it is asked to end the lab', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hactl-supervisor-'))
  const plan = planRabbit(resolveRabbit({ kind: 'rabbitmq', nodes: 1 }, { ...deployment, folder }))
  const supervisor = new Supervisor(plan, new Journal(join(folder, 'events.jsonl')), new FakeClock())
  rmSync(folder, { recursive: true })

  await expect(supervisor.answer({ verb: 'down' }, talk)).rejects.toThrow('ENOENT')
  await expect(supervisor.done).rejects.toThrow('ENOENT')
})
