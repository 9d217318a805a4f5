export { type DriverHarness, driverContract, type Register } from './driver-contract.ts'
export { FakeClock, settle } from './fake-clock.ts'
export { FakeConnection, FakeDriver, FakeError, type FakeMode, FakeServer } from './fake-driver.ts'
export { seededRandom } from './random.ts'
