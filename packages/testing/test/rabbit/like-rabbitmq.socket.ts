import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FakeCluster, startFakeCluster } from '../../src/rabbit/index.ts'
import { runScenario } from './scenarios/harness.ts'
import { scenarios } from './scenarios/index.ts'

// What is expected here was read off RabbitMQ 3.10.8; same-as-real.int.ts reads it off again.
describe('the fake broker, like RabbitMQ,', () => {
  let cluster: FakeCluster
  beforeAll(async () => {
    cluster = await startFakeCluster()
  })
  afterAll(() => cluster.close())

  it.each(scenarios.map((scenario, i) => ({ ...scenario, i })))('$name', async ({ i, ...scenario }) => {
    expect(await runScenario(scenario, { url: cluster.url, pauseMs: 0 }, i)).toEqual(scenario.expected)
  })
})
