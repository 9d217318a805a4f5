import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { Endpoint } from '@ha/core'
import type { JdbcMode, JdbcRole } from '@ha/core/driver'

/** How the hosts share the load. `none`: one target; the other hosts are tried only while connecting. */
export type Mode = JdbcMode

/** The role of a host: a primary takes writes, a replica serves reads. */
export type Role = JdbcRole

/**
 * The verification of the server: no TLS, any certificate, a certificate of a trusted CA, or that with a matching
 * name.
 */
export type TlsMode = 'off' | 'trust' | 'verify-ca' | 'verify-full'

/** The TLS settings of one host. `options` is passed to `node:tls` and already includes what `mode` requires. */
export interface TlsChoice {
  readonly mode: TlsMode
  readonly options: TlsOptions
}

/** One configured server. */
export interface HostOptions {
  /** The address. For a local socket: its path as the host, and port 0. */
  readonly endpoint: Endpoint
  readonly role: Role
  readonly tls: TlsChoice
}

/** The size of the pool of each host and the lifetime of its connections. */
export interface PoolOptions {
  /** Maximum number of connections per host. Default 10. */
  readonly maximumSize: number
  /** Number of idle connections that are kept per host. Default 2, or `maximumSize` if that is less. */
  readonly minimumIdle: number
  /**
   * Idle time after which a connection above `minimumIdle` is closed, in ms. Default 600 000; Infinity disables it.
   */
  readonly idleTimeoutMs: number
  /**
   * Maximum connection age in ms. Older connections are replaced when idle. Default 1 800 000; Infinity disables it.
   */
  readonly maxLifetimeMs: number
  /** Interval between pings of an idle connection in ms. Default 120 000; Infinity disables them. */
  readonly keepaliveMs: number
  /** Time limit of a validation in ms. Default 5 000. */
  readonly validationTimeoutMs: number
  /** A lease longer than this many ms is reported with its stack trace. Default 0: never. */
  readonly leakDetectionMs: number
  /** Time limit for TCP, TLS and login of one connection together, in ms. Default 2 000. */
  readonly connectTimeoutMs: number
  /** Maximum number of concurrent connection attempts per host. Default 2. */
  readonly parallelConnects: number
  /** Maximum wait for a connection in ms. Default 30 000. */
  readonly acquireTimeoutMs: number
  /** Maximum number of waiting acquires. Default 10 000. */
  readonly maxWaiting: number
}

/** The monitoring of each host. */
export interface MonitorOptions {
  /** Interval between probes in ms. Default 1 000. */
  readonly intervalMs: number
  /** Time limit of a probe in ms. Default 500. */
  readonly timeoutMs: number
  /** Consecutive failed probes until a host counts as down. Default 2. */
  readonly downAfter: number
  /** A statement slower than this many ms triggers a probe. Default 200. */
  readonly slowQueryMs: number
}

/** The isolation levels of SQL. */
export type Isolation = 'read-uncommitted' | 'read-committed' | 'repeatable-read' | 'serializable'

/** A value of a session variable. */
export type VariableValue = string | number | boolean | null

/** The initial state of every session; restored before each lease. */
export interface SessionOptions {
  /** Undefined keeps the server's default. */
  readonly isolation: Isolation | undefined
  /** The session's `time_zone`. Default `+00:00`; `server` keeps the server's. */
  readonly timeZone: string
  readonly variables: Readonly<Record<string, VariableValue>>
  /** Statements that initialize a new session, in order. */
  readonly initSql: readonly string[]
}

/** The conversion of values to JavaScript. */
export interface ResultOptions {
  /** Default `auto`: a BIGINT is a number while it is a safe integer, else a bigint. */
  readonly bigint: 'auto' | 'bigint' | 'string' | 'number'
  /** DATE, DATETIME and TIMESTAMP as Date or as text. Default `date`. */
  readonly dates: 'date' | 'string'
  /**
   * JSON columns parsed, or as text. Default `parsed`; numbers above 2^53 inside a document are exact only as text.
   */
  readonly json: 'parsed' | 'string'
}

/** The table in which each commit leaves a mark, so that a COMMIT without an answer can be resolved. */
export interface CommitLogOptions {
  /** The name of the table, `table` or `schema.table`. Default `ha_ledger`. */
  readonly table: string
  /** Whether the client creates a missing table. Default false. */
  readonly create: boolean
  /** Retention of marks in ms: a token can be resolved for this long. Default 604 800 000, one week. */
  readonly keepMs: number
}

/** The retries of a transaction after conflicts. */
export interface RetryOptions {
  /** Number of retries after the first attempt. Default 5. */
  readonly attempts: number
  /** First upper limit of the random pause between attempts, in ms. Default 20. */
  readonly baseMs: number
  /** Upper limit of the pause, in ms. Default 1 000. */
  readonly maxMs: number
}

/** The options of a client, checked, completed and frozen. */
export interface ResolvedOptions {
  readonly mode: Mode
  /** In the order of the configuration. */
  readonly hosts: readonly HostOptions[]
  readonly database: string | undefined
  readonly username: string
  /** Called for each connection. A password given as text is wrapped, so that no dump of the options shows it. */
  readonly password: () => Promise<string>
  /** The connection attribute `program_name`. Default `@ha/mariadb`. */
  readonly name: string
  /** The default deadline of a call in ms. Default 30 000. */
  readonly timeoutMs: number
  readonly pool: PoolOptions
  readonly monitor: MonitorOptions
  /** Whether the hosts form a Galera cluster. Default `auto`: detected from each server. */
  readonly galera: 'auto' | 'require' | 'off'
  /** Whether a donor node is used. Default `last-resort`. */
  readonly donor: 'last-resort' | 'allow' | 'never'
  /**
   * A preferred host is used again after it has been healthy for `afterMs`. Default 30 000; Infinity disables that.
   */
  readonly failBack: { readonly afterMs: number }
  /** A replica with a larger lag serves no reads, in ms. Default 10 000. */
  readonly maxLagMs: number
  /** The data that a read must see. Default `eventual`. */
  readonly consistency: 'eventual' | 'session' | 'strong'
  readonly retry: RetryOptions
  readonly session: SessionOptions
  /** Whether the caller chose `session.timeZone`. */
  readonly timeZoneGiven: boolean
  readonly results: ResultOptions
  /** Undefined: the outcome of a COMMIT without an answer stays unknown. */
  readonly commitLog: CommitLogOptions | undefined
  /** Warnings about ignored or renamed options; the client emits each once. */
  readonly warnings: readonly string[]
}
