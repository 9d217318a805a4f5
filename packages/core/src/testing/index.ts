export { type DriverHarness, driverContract, type Register } from './driver-contract.ts'
export { FakeClock, isSoak, pause, seededRandom, settle, simulationSeeds, until } from './fake-clock.ts'
export { FakeConnection, FakeDriver, FakeError, type FakeMode, FakeServer } from './fake-driver.ts'
export { type PoolDriverHarness, poolDriverContract } from './pool-driver-contract.ts'
