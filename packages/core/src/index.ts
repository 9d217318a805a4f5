/**
 * `@ha/core`: failover for a connection or a pool, and the one error class of all packages. For applications; authors
 * of drivers and clients also import `@ha/core/driver`.
 *
 * @module core
 */

export { type Endpoint, formatEndpoint } from './address/endpoint.ts'
export type { Health, HealthRules, Member, MemberHealth, View } from './cluster/cluster-view.ts'
export type { EndpointSource } from './cluster/endpoint-registry.ts'
export type { Declaration } from './desired-state.ts'
export type { ConnectionSignal, Driver, PoolDriver } from './driver.ts'
export type { Verdict } from './errors/classification.ts'
export {
  type CoreCode,
  coreCodes,
  type FailedAttempt,
  HaError,
  type HaErrorDetails,
  isHaError,
  type Outcome,
} from './errors/ha-error.ts'
export type { Lease, Source } from './lease.ts'
export type { DialOptions } from './link/dialer.ts'
export { Link } from './link/link.ts'
export type { LinkOptions } from './link/link-options.ts'
export type {
  DeclarationHealth,
  Failover,
  LinkEvents,
  LinkHealth,
  LinkState,
  LinkStateKind,
  Loss,
} from './link/link-report.ts'
export type { Liveness } from './link/liveness.ts'
export { type Backoff, type FullJitter, fullJitter } from './policy/backoff.ts'
export { Budget, type BudgetOptions } from './policy/retry.ts'
export type { PoolStrategy, Strategy } from './policy/select.ts'
export { type DrainResult, Pool } from './pool/pool.ts'
export type {
  ConnectOptions,
  IdleOptions,
  MonitorOptions,
  PoolOptions,
  PoolSize,
} from './pool/pool-options.ts'
export type {
  Exhaustion,
  GenerationOver,
  HostChange,
  HostHealth,
  Leak,
  NestedAcquire,
  PoolEvents,
  PoolHealth,
  PoolStateKind,
} from './pool/pool-report.ts'
export type { HostLoad, Route, Routing } from './pool/routing.ts'
export { type Operation, type Runner, run, type Work } from './run.ts'
export { coreChannels, type DiagnosticsChannel } from './util/channels.ts'
export { type Clock, systemClock } from './util/clock.ts'
export type { Events, Listener } from './util/emitter.ts'
