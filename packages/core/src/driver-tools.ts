/**
 * `@ha/core/driver`: what the author of a driver or of a client writes with. Applications import `@ha/core`.
 *
 * @module core-driver
 */

export { type ConnectString, parseConnectString } from './address/connect-string.ts'
export { sameEndpoint } from './address/endpoint.ts'
export { checkEndpoint, type HostListStyle, parseHostList } from './address/host-list.ts'
export { type JdbcUrl, jdbcUrlSwitches, parseJdbcUrl } from './address/jdbc-url.ts'
export type { JdbcAddress, JdbcTarget } from './address/jdbc-url-address.ts'
export type { JdbcHost } from './address/jdbc-url-hosts.ts'
export { defaultRole, type JdbcMode, type JdbcRole, lacksPrimary } from './address/jdbc-url-mode.ts'
export type { JdbcParameter } from './address/jdbc-url-parameters.ts'
export type { TextSpan } from './address/jdbc-url-piece.ts'
export { didYouMean, nearestWord } from './address/nearest.ts'
export { Lifecycle, type LifecycleOptions } from './client/lifecycle.ts'
export {
  addresses,
  backoff,
  backoffOptions,
  balancing,
  type CallOptionCheck,
  type CallOptionRules,
  callOptions,
  credentials,
  invalidOption,
  type OptionCheck,
  optionChecks,
  secret,
  tls,
} from './client/options.ts'
export {
  type Connect,
  connectSocket,
  type EndpointProbe,
  openSocket,
  probeEndpoint,
} from './client/sockets.ts'
export {
  type CallLimit,
  type RetryOptions,
  retry,
  runWithin,
  type StateWait,
  type WaitFailure,
  type WaitLimits,
  waitUntil,
} from './client/wait.ts'
export {
  type ClassificationRules,
  classifier,
  isCertificateError,
  type TextRule,
  verdicts,
  verdictTable,
} from './errors/classification.ts'
export {
  asError,
  type CodeEntry,
  type CodeTable,
  detachStack,
  type ErrorMapping,
  wrapError,
} from './errors/ha-error.ts'
export { type FailoverEvent, failoverEvents } from './link/link-events.ts'
export { leaseOf } from './link/link-state.ts'
export type { Observation } from './model/member.ts'
export { EndpointRegistry } from './model/roster.ts'
export { type Fact, memberAt } from './model/view.ts'
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
  optional,
  Problems,
  resolveOptions,
  text,
} from './options/options.ts'
export { type SelectionCriteria, type SelectionOrder, type StrategyAlias, select } from './policy/select.ts'
export type { AcquireRequest } from './pool/route.ts'
export { channels } from './report/channels.ts'
export { ActiveTime } from './runtime/attention.ts'
export { clockOf, timerGrainMs } from './runtime/clock.ts'
export { type DeadlineOptions, withDeadline } from './runtime/deadline.ts'
export { Emitter, type EventMap } from './runtime/emitter.ts'
export { type Deferred, deferred } from './runtime/gate.ts'
export { listenerFailed } from './runtime/listener-failed.ts'
export { Notifier } from './runtime/pulse.ts'
export { type LinkedController, linkedController, raceAbort } from './runtime/scope.ts'
export { type DeclarationStatus, DesiredState } from './session/ledger.ts'
