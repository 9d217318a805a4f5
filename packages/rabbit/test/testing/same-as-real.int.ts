import { type FakeCluster, startFakeCluster } from '@ha/rabbit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scenarios } from './scenarios/index.ts'
import { play } from './scenarios/stage.ts'

const realUrl = process.env['HA_TEST_AMQP_URL']
const why = realUrl === undefined ? ' (skipped: HA_TEST_AMQP_URL names no RabbitMQ to compare with)' : ''

describe.skipIf(realUrl === undefined)(
  `the fake broker and the real one are the same when a client${why}`,
  () => {
    let cluster: FakeCluster
    beforeAll(async () => {
      cluster = await startFakeCluster()
    })
    afterAll(() => cluster.close())

    it.each(scenarios.map((scenario, i) => ({ ...scenario, i })))('$name', async ({ i, ...scenario }) => {
      const real = await play(scenario, { url: String(realUrl), pauseMs: 100 }, i)
      const fake = await play(scenario, { url: cluster.url, pauseMs: 0 }, i)
      expect(fake).toEqual(real)
    })
  },
)
