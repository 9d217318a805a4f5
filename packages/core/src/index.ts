/**
 * `@ha/core`: failover for a connection or a pool, and the one error class of all packages. For applications; authors
 * of drivers and clients also import `@ha/core/driver`.
 *
 * @module core
 */

export { type Endpoint, formatEndpoint } from './address/endpoint.ts'
export type { ConnectionSignal, Driver } from './driver.ts'
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
export type { DialOptions } from './link/dial.ts'
export { Link } from './link/link.ts'
export type { Failover, LinkEvents, Loss } from './link/link-events.ts'
export type { DeclarationHealth, LinkHealth } from './link/link-health.ts'
export type { LinkState, LinkStateKind } from './link/link-state.ts'
export type { LinkOptions } from './link/options.ts'
export type { Liveness } from './link/silence.ts'
export type { Health, HealthRules, Member } from './model/member.ts'
export type { MemberHealth } from './model/member-health.ts'
export type { EndpointSource } from './model/roster.ts'
export type { View } from './model/view.ts'
export { type Backoff, type FullJitter, fullJitter } from './policy/backoff.ts'
export { Budget, type BudgetOptions } from './policy/budget.ts'
export type { PoolStrategy, Strategy } from './policy/select.ts'
export { type DrainResult, Pool } from './pool/pool.ts'
export type { PoolDriver } from './pool/pool-driver.ts'
export type {
  Exhaustion,
  GenerationOver,
  HostChange,
  Leak,
  NestedAcquire,
  PoolEvents,
} from './pool/pool-events.ts'
export type { HostHealth, PoolHealth, PoolStateKind } from './pool/pool-health.ts'
export type {
  ConnectOptions,
  IdleOptions,
  MonitorOptions,
  PoolOptions,
  PoolSize,
} from './pool/pool-options.ts'
export type { HostLoad, Route, Routing } from './pool/route.ts'
export { coreChannels, type DiagnosticsChannel } from './report/channels.ts'
export type { Operation } from './run/operation.ts'
export { type Runner, run, type Work } from './run/run.ts'
export { type Clock, systemClock } from './runtime/clock.ts'
export type { Events, Listener } from './runtime/emitter.ts'
export type { Declaration } from './session/ledger.ts'
export type { Lease, Source } from './source.ts'
