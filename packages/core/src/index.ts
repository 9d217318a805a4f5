export { type ConnectString, parseConnectString } from './address/connect-string.ts'
export { type Endpoint, formatEndpoint, sameEndpoint } from './address/endpoint.ts'
export { checkEndpoint, type HostListStyle, parseHostList } from './address/host-list.ts'
export { type JdbcUrl, jdbcUrlSwitches, parseJdbcUrl } from './address/jdbc-url.ts'
export type { JdbcAddress, JdbcTarget } from './address/jdbc-url-address.ts'
export type { JdbcHost } from './address/jdbc-url-hosts.ts'
export { defaultRole, type JdbcMode, type JdbcRole, lacksPrimary } from './address/jdbc-url-mode.ts'
export type { JdbcParameter } from './address/jdbc-url-parameters.ts'
export type { Piece } from './address/jdbc-url-piece.ts'
export { didYouMean, nearestWord } from './address/nearest.ts'
export type { Driver, Signal } from './driver.ts'
export type { DialOptions } from './link/dial.ts'
export { Link } from './link/link.ts'
export type { Failover, LinkEvents, Loss } from './link/link-events.ts'
export type { DeclarationHealth, LinkHealth } from './link/link-health.ts'
export { type LinkState, type LinkStateKind, leaseOf } from './link/link-state.ts'
export type { LinkOptions } from './link/options.ts'
export type { Liveness } from './link/silence.ts'
export { isCertificateError } from './model/certificate-error.ts'
export {
  asError,
  type CodeEntry,
  type CodeTable,
  type CoreCode,
  coreCodes,
  type FailedAttempt,
  HaError,
  type HaErrorDetails,
  isHaError,
  type Outcome,
} from './model/error.ts'
export { kept } from './model/kept.ts'
export type { Health, HealthRules, Member, Sight } from './model/member.ts'
export type { MemberHealth } from './model/member-health.ts'
export { type EndpointSource, Roster } from './model/roster.ts'
export { type Verdict, verdictTable } from './model/verdict.ts'
export { type Fact, memberAt, type View } from './model/view.ts'
export {
  checked,
  count,
  flag,
  group,
  milliseconds,
  type NumberRange,
  type OptionReader,
  type OptionTable,
  oneOf,
  Problems,
  resolveOptions,
  text,
} from './options/options.ts'
export { type Backoff, type FullJitter, fullJitter } from './policy/backoff.ts'
export { Budget, type BudgetOptions } from './policy/budget.ts'
export { type Order, type PoolStrategy, type Strategy, select, type Wanted } from './policy/select.ts'
export { type Drained, Pool } from './pool/pool.ts'
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
export type { HostLoad, Route, Routing, Want } from './pool/route.ts'
export { coreChannels, type DiagnosticsChannel } from './report/channels.ts'
export type { Operation } from './run/operation.ts'
export { type Runner, run, type Work } from './run/run.ts'
export { Attention } from './runtime/attention.ts'
export { type Clock, clockOf, systemClock, timerGrainMs } from './runtime/clock.ts'
export { type Limit, withDeadline } from './runtime/deadline.ts'
export { Emitter, type EventMap, type Events, type Listener } from './runtime/emitter.ts'
export { type Gate, gate } from './runtime/gate.ts'
export { listenerFailed } from './runtime/listener-failed.ts'
export { Pulse } from './runtime/pulse.ts'
export { abandonable, type Scope, scopeBelow } from './runtime/scope.ts'
export { type Declaration, Ledger, type Standing } from './session/ledger.ts'
export type { Lease, Source } from './source.ts'
