import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FakeCluster, startFakeGalera } from '../../src/mariadb/index.ts'
import { fakeStage } from './scenarios/fake-stage.ts'
import { scenarios } from './scenarios/index.ts'
import { play } from './scenarios/stage.ts'

// What is expected here was read off MariaDB 10.11.19 with Galera; same-as-real.int.ts reads it off again.
describe('the fake cluster, like MariaDB,', () => {
  let cluster: FakeCluster
  beforeAll(async () => {
    cluster = await startFakeGalera({ users: { ha: 'ha' }, schemas: ['ha'] })
  })
  afterAll(() => cluster.close())

  it.each(scenarios)('$name', async (scenario) => {
    expect(await play(scenario, fakeStage(cluster))).toEqual(scenario.expected)
  })
})
