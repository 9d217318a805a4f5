import type { Lab } from '@ha/bootstrap'
import { type FakeCluster, startFakeCluster } from '@ha/testing/rabbit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRealLab } from '../../../rabbit/test/real/lab.ts'
import { scenarios } from './scenarios/index.ts'
import { play } from './scenarios/stage.ts'

describe('the fake broker and the real one are the same to a client', () => {
  let lab: Lab
  let fake: FakeCluster
  beforeAll(async () => {
    lab = await startRealLab('same', { nodes: 1 })
    fake = await startFakeCluster()
  })
  afterAll(async () => {
    await fake.close()
    await lab.down()
  })

  it.each(scenarios.map((scenario, i) => ({ ...scenario, i })))('$name', async ({ i, ...scenario }) => {
    const onReal = await play(scenario, { url: lab.url, pauseMs: 100 }, i)
    const onFake = await play(scenario, { url: fake.url, pauseMs: 0 }, i)
    expect(onFake).toEqual(onReal)
  })
})
