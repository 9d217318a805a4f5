import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type MemoryEnsemble, memoryHarness, startMemoryEnsemble } from './memory-ensemble.ts'
import { runScenario } from './scenarios/harness.ts'
import { scenarios } from './scenarios/index.ts'

// What is expected here was read off ZooKeeper 3.8.0; likeness.int.ts reads it off again.
describe('the fake ensemble, like ZooKeeper,', () => {
  let ours: MemoryEnsemble
  beforeAll(async () => {
    ours = await startMemoryEnsemble()
  })
  afterAll(() => ours.ensemble.close())

  it.each(scenarios)('$name', async (scenario) => {
    expect(await runScenario(scenario, memoryHarness(ours))).toEqual(scenario.expected)
  })
})
