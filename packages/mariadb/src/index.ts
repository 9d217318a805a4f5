/**
 * `@ha/mariadb`: the MariaDB client.
 *
 * @module mariadb
 */

export { HaError, isHaError } from '@ha/core'
export { createMariadb, type DrainReport, Mariadb, type MariadbHealth } from './client.ts'
export type { TransactionOutcome } from './commit-log.ts'
export type { Result } from './driver/codec.ts'
export type { GaleraStatus, MariadbStatus, ReplicaStatus } from './driver/server-status.ts'
export type { Args, Column, ColumnMeta, PositionalRow, Row } from './driver/statement.ts'
export { type MariadbCode, MariadbError, type MariadbErrorDetails, mariadbCodes } from './errors.ts'
export type {
  CallOptions,
  Consistency,
  RowsAsArrayOptions,
  TransactionOptions,
} from './options/call-options.ts'
export type { HikariOptions } from './options/hikari.ts'
export type { HostInput } from './options/hosts.ts'
export type { MariadbOptions, UrlOverrides } from './options/options.ts'
export type {
  CommitLogOptions,
  Isolation,
  Mode,
  MonitorOptions,
  PoolOptions,
  ResultOptions,
  RetryOptions,
  Role,
  SessionOptions,
} from './options/resolved-options.ts'
export type { TlsInput } from './options/tls.ts'
export type { RouteTarget } from './routing/route.ts'
export type { Session } from './session.ts'
export type { RowStream } from './statement/stream.ts'
export type { Transaction } from './transaction/transaction.ts'
export { type MariadbEvents, mariadbChannels, type WriterChange } from './writer-monitor.ts'
