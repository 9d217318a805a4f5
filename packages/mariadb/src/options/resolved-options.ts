import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { Endpoint } from '@ha/core'
import type { JdbcMode, JdbcRole } from '@ha/core/driver'

/** How the hosts share the work. `none` is one target: further hosts are tried only while connecting. */
export type Mode = JdbcMode

/** What a host is for: a primary takes writes, a replica takes reads. */
export type Role = JdbcRole

/** How much of a server's certificate is believed: nothing encrypted, any certificate, one of our CA, or that and its name. */
export type TlsMode = 'off' | 'trust' | 'verify-ca' | 'verify-full'

/** TLS of one host. `options` goes to `node:tls` as it is and already says what `mode` means. */
export interface TlsChoice {
  readonly mode: TlsMode
  readonly options: TlsOptions
}

/** One server of the list. */
export interface HostOptions {
  /** Where to dial. For a local socket: its path as host, and port 0. */
  readonly endpoint: Endpoint
  readonly role: Role
  readonly tls: TlsChoice
}

/** How many connections there are per host, and how long each of them lives. */
export interface PoolOptions {
  /** Connections per host at most. Default 10. */
  readonly maximumSize: number
  /** Connections per host that are kept though idle. Default 2, or `maximumSize` where that is less. */
  readonly minimumIdle: number
  /** Idle for so long, a connection above `minimumIdle` is closed. Default 600 000; Infinity is never. */
  readonly idleTimeoutMs: number
  /** A connection older than this is replaced when it is idle. Default 1 800 000; Infinity is never. */
  readonly maxLifetimeMs: number
  /** An idle connection is asked for a sign of life this often. Default 120 000; Infinity is never. */
  readonly keepaliveMs: number
  /** How long a connection may take to show that it is alive. Default 5 000. */
  readonly validationTimeoutMs: number
  /** A borrow longer than this is reported with its stack. Default 0, which is never. */
  readonly leakDetectionMs: number
  /** TCP, TLS and login of one connection together. Default 2 000. */
  readonly connectTimeoutMs: number
  /** Connections to one host that are made at the same time. Default 2. */
  readonly parallelConnects: number
  /** How long a borrow may wait for a connection. Default 30 000. */
  readonly acquireTimeoutMs: number
  /** Borrows that may wait at the same time. Default 10 000. */
  readonly maxWaiting: number
}

/** How a host is known to be up. */
export interface MonitorOptions {
  /** Default 1 000. */
  readonly intervalMs: number
  /** Default 500. */
  readonly timeoutMs: number
  /** Probes that fail in a row before the host is down. Default 2. */
  readonly downAfter: number
  /** A statement slower than this makes the monitor look at once. Default 200. */
  readonly slowQueryMs: number
}

/** The isolation levels of SQL. */
export type Isolation = 'read-uncommitted' | 'read-committed' | 'repeatable-read' | 'serializable'

/** A value of a session variable. */
export type VariableValue = string | number | boolean | null

/** What every session begins with, the same on each borrow. */
export interface SessionOptions {
  /** Undefined is the server's own. */
  readonly isolation: Isolation | undefined
  /** Sent as `SET time_zone`. Default `+00:00`; `server` leaves the server's. */
  readonly timeZone: string
  readonly variables: Readonly<Record<string, VariableValue>>
  /** Statements that a new connection runs, in order. */
  readonly initSql: readonly string[]
}

/** How values of the server become values of JavaScript. */
export interface ResultOptions {
  /** Default `auto`: a BIGINT is a number while it is a safe integer, else a bigint. */
  readonly bigint: 'auto' | 'bigint' | 'string' | 'number'
  /** Default `date`. */
  readonly dates: 'date' | 'string'
}

/** The table in which a commit leaves its mark, so that one without an answer can be resolved. */
export interface CommitLogOptions {
  /** Default `ha_ledger`. */
  readonly table: string
  /** Whether the client creates the table when it is not there. Default false. */
  readonly create: boolean
  /** A mark older than this is deleted: for so long a token can be resolved. Default 604 800 000, a week. */
  readonly keepMs: number
}

/** How a transaction is run again after a conflict. */
export interface RetryOptions {
  /** Runs of the callback after the first. Default 5. */
  readonly attempts: number
  /** Default 20. */
  readonly baseMs: number
  /** Default 1 000. */
  readonly maxMs: number
}

/** Everything `createMariadb` needs to know, checked and frozen. */
export interface ResolvedOptions {
  readonly mode: Mode
  /** In the order in which they were written. */
  readonly hosts: readonly HostOptions[]
  readonly database: string | undefined
  readonly username: string
  /** Asked anew for each connection; one that was given as text is wrapped, so that no dump of the options shows it. */
  readonly password: () => Promise<string>
  /** The connection attribute `program_name`. Default `@ha/mariadb`. */
  readonly name: string
  /** The deadline of a call that names none. Default 30 000. */
  readonly timeoutMs: number
  readonly pool: PoolOptions
  readonly monitor: MonitorOptions
  /** Whether the hosts are a Galera cluster. Default `auto`: each is asked. */
  readonly galera: 'auto' | 'require' | 'off'
  /** Whether a node that feeds another one is used. Default `last-resort`. */
  readonly donor: 'last-resort' | 'allow' | 'never'
  /** A better host is returned to when it has been healthy for `afterMs`. Default 30 000; Infinity is never. */
  readonly failBack: { readonly afterMs: number }
  /** A replica further behind than this serves no reads. Default 10 000. */
  readonly maxLagMs: number
  /** What a read must have seen. Default `eventual`. */
  readonly consistency: 'eventual' | 'session' | 'strong'
  readonly retry: RetryOptions
  readonly session: SessionOptions
  readonly results: ResultOptions
  /** Undefined: a commit without an answer stays unknown. */
  readonly commitLog: CommitLogOptions | undefined
  /** Java's options that mean nothing here, each named once; the client emits them. */
  readonly warnings: readonly string[]
}
