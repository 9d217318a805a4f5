/**
 * `@ha/testing/proxy`: a TCP proxy inside the test process that breaks connections on demand.
 *
 * @module testing/proxy
 */

export type { Healing, ProxyConnection } from './connection.ts'
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
} from './faults.ts'
export type { AcceptMode } from './listener.ts'
export type { FaultProxyOptions } from './options.ts'
export { type FaultProxy, faultProxy, type Sweep, sweepBytes } from './proxy.ts'
export type { Counters, Flow, ProxyEvent, TimelineEntry } from './timeline.ts'
