/**
 * `@ha/mariadb`: the MariaDB client.
 *
 * @module mariadb
 */

export type { CallOptions, Consistency } from './call-options.ts'
export { mariadbChannels } from './channels.ts'
export { type MariadbCode, mariadbCodes } from './codes.ts'
export type { GaleraReading, Reading, ReplicaReading } from './driver/reading.ts'
export type { Args, Column, Row } from './driver/statement.ts'
export type { MariadbEvents, WriterChange } from './events.ts'
export type { MariadbHealth } from './health.ts'
export type { Fate } from './ledger/resolve.ts'
export { createMariadb, type DrainReport, type Mariadb } from './mariadb.ts'
export { MariadbError, type MariadbErrorDetails } from './mariadb-error.ts'
export type { HikariOptions } from './options/hikari/hikari-options.ts'
export type { HostInput } from './options/hosts.ts'
export type { BesideUrl, MariadbOptions } from './options/options.ts'
export type {
  Isolation,
  LedgerOptions,
  Mode,
  MonitorOptions,
  PoolOptions,
  ResultOptions,
  RetryOptions,
  Role,
  SessionOptions,
} from './options/resolved.ts'
export type { TlsInput } from './options/tls.ts'
export type { Result } from './result.ts'
export type { Asked } from './route/wish.ts'
export type { Session } from './session/session.ts'
export type { TransactionOptions } from './transaction/options.ts'
export type { Transaction } from './transaction/transaction.ts'
