import { type Lab, openLab } from '@ha/bootstrap'
import { type FakeCluster, startFakeGalera } from '@ha/testing/mariadb'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { fakeStage } from './scenarios/fake-stage.ts'
import { scenarios } from './scenarios/index.ts'
import { play, type StageOptions } from './scenarios/stage.ts'

describe('the fake cluster and a real one are the same to a client', () => {
  let lab: Lab
  let fake: FakeCluster
  beforeAll(async () => {
    lab = openLab(inject('lab'))
    fake = await startFakeGalera({ users: { ha: 'ha' }, schemas: ['ha'] })
  })
  afterAll(() => fake.close())

  it.each(scenarios)('$name', async (scenario) => {
    const onReal = await play(scenario, realStage(lab))
    const onFake = await play(scenario, fakeStage(fake))
    expect(onFake).toEqual(onReal)
  })
})

function realStage(lab: Lab): StageOptions {
  return {
    endpoints: lab.nodes.map((node) => node.endpoint),
    isolate: async (node) => {
      const lease = await lab.isolate(`db${node}`, { forMs: 60_000 })
      await untilNotReady(lab, node)
      return () => back(lab, lease)
    },
    pause: async (node) => {
      const lease = await lab.pause(`db${node}`, { forMs: 60_000 })
      return () => back(lab, lease)
    },
  }
}

async function back(lab: Lab, lease: { heal(): Promise<unknown> }): Promise<void> {
  await lease.heal()
  await lab.ready({ timeoutMs: 60_000 })
}

// The node goes on as before until it has noticed.
async function untilNotReady(lab: Lab, node: number): Promise<void> {
  while ((await lab.ctl(`db${node}`, ['-e', "SHOW STATUS LIKE 'wsrep_ready'"])).includes('ON')) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
