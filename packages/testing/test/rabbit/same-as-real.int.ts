import { type Lab, openLab } from '@ha/bootstrap'
import { type FakeCluster, startFakeCluster } from '@ha/testing/rabbit'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { runScenario } from './scenarios/harness.ts'
import { scenarios } from './scenarios/index.ts'

describe('the fake broker and the real one are the same to a client', () => {
  let lab: Lab
  let fake: FakeCluster
  beforeAll(async () => {
    lab = openLab(inject('lab'))
    fake = await startFakeCluster()
  })
  afterAll(() => fake.close())

  it.each(scenarios.map((scenario, i) => ({ ...scenario, i })))('$name', async ({ i, ...scenario }) => {
    const onReal = await runScenario(scenario, { url: urlOf(lab), pauseMs: 100 }, i)
    const onFake = await runScenario(scenario, { url: fake.url, pauseMs: 0 }, i)
    expect(onFake).toEqual(onReal)
  })
})

// One node of the cluster: amqplib dials a single address.
function urlOf(lab: Lab): string {
  const { endpoint } = lab.nodes[0]!
  return `amqp://guest:guest@${endpoint.host}:${endpoint.port}/`
}
