export type { Healing, ProxyConnection } from './connection.ts'
export type { Counters } from './counters.ts'
export type { Door } from './door.ts'
export type { ProxyEvent } from './event.ts'
export {
  type Bandwidth,
  type Blackhole,
  bothWays,
  type Coalesce,
  type Corrupt,
  type Cut,
  type CutHow,
  type Direction,
  type Duplicate,
  type Fault,
  type Faults,
  type HalfOpen,
  type Latency,
  type Onset,
  type Slice,
  type SlowClose,
} from './fault.ts'
export type { Flow } from './flow.ts'
export type { FaultProxyOptions } from './options.ts'
export { type FaultProxy, faultProxy } from './proxy.ts'
export { type Sweep, sweepBytes } from './sweep.ts'
export type { TimelineEntry } from './timeline.ts'
