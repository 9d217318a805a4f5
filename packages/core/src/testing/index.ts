export { driverContract } from './driver-contract.ts'
export type { DriverHarness, Register } from './driver-harness.ts'
export { FakeClock, settle } from './fake-clock.ts'
export { FakeConnection, FakeDriver, FakeError, type FakeMode, FakeServer } from './fake-driver.ts'
export { localhostCertificate } from './localhost-certificate.ts'
export { nodeNumbered } from './node-numbered.ts'
export { type PoolDriverHarness, poolDriverContract } from './pool-driver-contract.ts'
export {
  type Bandwidth,
  type Blackhole,
  bothWays,
  type Coalesce,
  type Corrupt,
  type Counters,
  type Cut,
  type CutHow,
  type Direction,
  type Door,
  type Duplicate,
  type Fault,
  type FaultProxy,
  type FaultProxyOptions,
  type Faults,
  type Flow,
  faultProxy,
  type HalfOpen,
  type Healing,
  type Latency,
  type Onset,
  type ProxyConnection,
  type ProxyEvent,
  type Slice,
  type SlowClose,
  type Sweep,
  sweepBytes,
  type TimelineEntry,
} from './proxy/index.ts'
export { seededRandom } from './random.ts'
export { type ByteEdge, checkEdge, type Edge, type Fate, isLostAt, saidUntil } from './script/edge.ts'
export type { EndingBy, ServerCut } from './script/ending.ts'
export { checkWhole, invalidRule } from './script/invalid-rule.ts'
export type { Place, Side, Where } from './script/place.ts'
export type { ByteStop, Stretch, WhenByte } from './script/plan-bytes.ts'
export type { Turns } from './script/plan-moment.ts'
export { type Grammar, Script } from './script/script.ts'
export { checkText, isText, type TextPattern } from './script/text-pattern.ts'
export { type WaitAct, type WaitEnds, type Waits, waitingFor, withWait } from './script/wait.ts'
export { DeedLog, type LogReading, type Noted } from './server/deed-log.ts'
export { KeptPort } from './server/kept-port.ts'
export { connectionRefused, type MemorySockets, memorySockets } from './server/memory-sockets.ts'
export { type PipeEnds, ScriptedPipe, type UnitReader } from './server/scripted-pipe.ts'
export type { Socketlike } from './server/socketlike.ts'
export { pause, until } from './waiting.ts'
export { ByteCursor } from './wire/byte-cursor.ts'
export { Malformed } from './wire/malformed.ts'
