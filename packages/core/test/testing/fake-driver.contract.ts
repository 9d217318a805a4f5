import { describe, it } from 'vitest'
import { driverContract } from '../../src/testing/driver-contract.ts'
import { FakeClock } from '../../src/testing/fake-clock.ts'
import { type FakeConnection, FakeDriver, FakeServer } from '../../src/testing/fake-driver.ts'

describe('the fake driver', () => {
  driverContract<FakeConnection>(
    it,
    async () => {
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
      }
    },
    { answerMs: 50 },
  )
})
