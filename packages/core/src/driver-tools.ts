/**
 * `@ha/core/driver`: what the author of a driver or of a client writes with. Applications import `@ha/core`.
 *
 * @module core-driver
 */

export { type ConnectString, parseConnectString } from './address/connect-string.ts'
export { sameEndpoint } from './address/endpoint.ts'
export { checkEndpoint, type HostListStyle, parseHostList } from './address/host-list.ts'
export {
  defaultRole,
  type JdbcAddress,
  type JdbcHost,
  type JdbcMode,
  type JdbcRole,
  type JdbcTarget,
  lacksPrimary,
} from './address/jdbc-hosts.ts'
export type { TextSpan } from './address/jdbc-text.ts'
export { type JdbcParameter, type JdbcUrl, jdbcUrlSwitches, parseJdbcUrl } from './address/jdbc-url.ts'
export { didYouMean, nearestWord } from './address/nearest-word.ts'
export {
  type CallLimit,
  Lifecycle,
  type LifecycleOptions,
  type RetryLoopOptions,
  retry,
  runWithin,
  type WaitFailure,
  type WaitLimits,
} from './client/lifecycle.ts'
export {
  addresses,
  backoff,
  backoffOptions,
  balancing,
  type CallOptionCheck,
  type CallOptionRules,
  callOptions,
  checked,
  count,
  credentials,
  flag,
  group,
  invalidOption,
  milliseconds,
  type NumberRange,
  type OptionCheck,
  type OptionReader,
  type OptionTable,
  oneOf,
  optional,
  optionChecks,
  Problems,
  quoted,
  readGiven,
  requireFactory,
  resolveOptions,
  secret,
  text,
  tls,
  tlsSource,
  typeName,
} from './client/options.ts'
export {
  AddressDialer,
  type Connect,
  connectSocket,
  type EndpointProbe,
  openSocket,
  probeEndpoint,
} from './client/sockets.ts'
export { type Fact, memberAt, type Observation } from './cluster/cluster-view.ts'
export { EndpointRegistry } from './cluster/endpoint-registry.ts'
export { type DeclarationStatus, DesiredState } from './desired-state.ts'
export { closeGracefully, openWithin, type ProbeAnswer } from './driver.ts'
export {
  type ClassificationRules,
  classifier,
  dialFailureText,
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
export { type FailoverEvent, failoverEvents, leaseOf, unavailableReasonOf } from './link/link-report.ts'
export { OptionCalls, type OptionSource } from './option-calls.ts'
export { refusalBackoff } from './policy/backoff.ts'
export { type SelectionCriteria, type SelectionOrder, type StrategyAlias, select } from './policy/select.ts'
export type { AcquireRequest } from './pool/routing.ts'
export {
  type DeadlineOptions,
  type LinkedController,
  linkedController,
  raceAbort,
  withDeadline,
} from './util/abort.ts'
export { ActiveTime } from './util/active-time.ts'
export { channels } from './util/channels.ts'
export { clockOf, timerGrainMs } from './util/clock.ts'
export { type Deferred, deferred } from './util/deferred.ts'
export { Emitter, type EventMap, listenerFailed } from './util/emitter.ts'
export { Notifier } from './util/notifier.ts'
