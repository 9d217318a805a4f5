// For authors of drivers and of clients: what a protocol is written with. Applications import `@ha/core`.
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
export { leaseOf } from './link/link-state.ts'
export { isCertificateError } from './model/certificate-error.ts'
export { asError, type CodeEntry, type CodeTable } from './model/error.ts'
export { detachStack } from './model/kept.ts'
export type { Observation } from './model/member.ts'
export { EndpointRegistry } from './model/roster.ts'
export { verdictTable } from './model/verdict.ts'
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
  Problems,
  resolveOptions,
  text,
} from './options/options.ts'
export { type SelectionCriteria, type SelectionOrder, select } from './policy/select.ts'
export type { AcquireRequest } from './pool/route.ts'
export { ActiveTime } from './runtime/attention.ts'
export { clockOf, timerGrainMs } from './runtime/clock.ts'
export { type DeadlineOptions, withDeadline } from './runtime/deadline.ts'
export { Emitter, type EventMap } from './runtime/emitter.ts'
export { type Deferred, deferred } from './runtime/gate.ts'
export { listenerFailed } from './runtime/listener-failed.ts'
export { Notifier } from './runtime/pulse.ts'
export { type LinkedController, linkedController, raceAbort } from './runtime/scope.ts'
export { type DeclarationStatus, DesiredState } from './session/ledger.ts'
