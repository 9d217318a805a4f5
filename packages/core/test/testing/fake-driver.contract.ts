import { describe, it } from 'vitest'
import { driverContract } from '../../src/testing/driver-contract.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { type FakeConnection, FakeDriver, FakeServer } from '../../src/testing/fake-driver.ts'
import { type PoolDriverHarness, poolDriverContract } from '../../src/testing/pool-driver-contract.ts'

async function fake(): Promise<PoolDriverHarness<FakeConnection, string>> {
  const clock = new FakeClock()
  const server = new FakeServer({ host: 'n1', port: 1 }, clock)
  return {
    driver: new FakeDriver(clock, [server]),
    endpoint: server.endpoint,
    freeze: async () => server.freeze(),
    kill: async () => server.kill(),
    connections: async () => server.connections.size,
    pass: (ms) => clock.advance(ms),
    dispose: async () => server.kill(),
    occupy: (connection) => {
      connection.busy = true
    },
    makeDirty: async (connection) => {
      connection.dirty = true
    },
    isClean: async (connection) => !connection.dirty,
  }
}

describe('the fake driver', () => {
  driverContract<FakeConnection>(it, fake, { answerMs: 50 })
  poolDriverContract<FakeConnection, string>(it, fake, { answerMs: 50 })
})
