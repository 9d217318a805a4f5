import { connect } from 'node:net'
import { type Lab, openLab } from '@ha/bootstrap'
import { type FakeEnsemble, startFakeEnsemble } from '@ha/testing/zookeeper'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type HarnessOptions, runScenario, type Scenario } from './scenarios/harness.ts'
import { scenarios } from './scenarios/index.ts'

interface Address {
  readonly host: string
  readonly port: number
}

describe('the fake ensemble and a real one are the same to a client', () => {
  let lab: Lab
  let fake: FakeEnsemble
  beforeAll(async () => {
    lab = openLab(inject('lab'))
    fake = await startFakeEnsemble()
  })
  afterAll(() => fake.close())

  it.each(scenarios)('$name', async (scenario) => {
    const onReal = await runScenario(
      scenario,
      overTcp(
        lab.nodes.map((node) => node.endpoint),
        400,
      ),
    )
    const onFake = await runScenario(scenario, overTcp(fake.endpoints, 50))
    expect(onFake).toEqual(onReal)
  })

  // The last one: afterwards the fake ensemble is of no more use.
  it('a server without a majority', async () => {
    const kills = [await lab.kill('zk2', { forMs: 60_000 }), await lab.kill('zk3', { forMs: 60_000 })]
    for (const number of [2, 3]) await fake.node(number).kill()
    await expect.poll(() => lab.ctl('zk1', ['srvr'])).toContain('not currently serving')
    const onReal = await runScenario(
      lonely,
      overTcp(
        lab.nodes.map((node) => node.endpoint),
        400,
      ),
    )
    const onFake = await runScenario(lonely, overTcp(fake.endpoints, 50))
    for (const kill of kills) await kill.heal()
    await lab.ready()
    expect([onFake, onReal]).toEqual([lonely.expected, lonely.expected])
  })
})

const lonely: Scenario = {
  name: 'a server without a majority',
  act: async (stage) => {
    const client = await stage.stranger(1)
    const asked = await stage.stranger(1)
    asked.send(Buffer.from('srvr'))
    return [await client.hello(), await stage.rawBy(asked)]
  },
  expected: [undefined, 'This ZooKeeper instance is not currently serving requests\n'],
}

function overTcp(addresses: readonly Address[], arriveMs: number): HarnessOptions {
  return {
    dial: async (node) => {
      const { host, port } = addresses[node - 1]!
      return connect({ host, port, noDelay: true })
    },
    // What a real ensemble tells reaches the last of its servers within some milliseconds, if the machine is not busy.
    arrive: () => new Promise((resolve) => setTimeout(resolve, arriveMs)),
  }
}
