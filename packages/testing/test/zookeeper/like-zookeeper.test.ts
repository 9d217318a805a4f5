import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memoryStage, type Stand, stand } from './memory.ts'
import { scenarios } from './scenarios/index.ts'
import { play } from './scenarios/stage.ts'

// What is expected here was read off ZooKeeper 3.8.0; likeness.int.ts reads it off again.
describe('the fake ensemble, like ZooKeeper,', () => {
  let ours: Stand
  beforeAll(async () => {
    ours = await stand()
  })
  afterAll(() => ours.ensemble.close())

  it.each(scenarios)('$name', async (scenario) => {
    expect(await play(scenario, memoryStage(ours))).toEqual(scenario.expected)
  })
})
