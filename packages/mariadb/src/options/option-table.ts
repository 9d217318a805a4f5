import {
  backoffOptions,
  checked,
  count,
  credentials,
  flag,
  group,
  invalidOption,
  milliseconds,
  type OptionReader,
  type OptionTable,
  oneOf,
  optional,
  text,
} from '@ha/core/driver'
import { type GivenHost, readHosts } from './hosts.ts'
import type {
  CommitLogOptions,
  PoolOptions,
  ResolvedOptions,
  SessionOptions,
  TlsChoice,
} from './resolved-options.ts'
import { initSqlProblem, isolations, timeZone, variables } from './session-options.ts'
import { readTls } from './tls.ts'

/** The options after single checks; dependencies between options are not resolved yet. */
interface CheckedOptions extends Omit<ResolvedOptions, 'hosts' | 'pool' | 'warnings' | 'timeZoneGiven'> {
  readonly hosts: readonly GivenHost[]
  readonly tls: TlsChoice
  readonly pool: CheckedPool
}

export interface CheckedPool extends Omit<PoolOptions, 'minimumIdle' | 'validationTimeoutMs'> {
  readonly minimumIdle: number | undefined
  readonly validationTimeoutMs: number | undefined
}

const day = 86_400_000

const pool: OptionTable<CheckedPool> = {
  // The defaults of minimumIdle and validationTimeoutMs depend on other options: see completePool in options.ts.
  maximumSize: count({ default: 10, min: 1, max: 10_000 }),
  minimumIdle: optional(count({ default: 0, min: 0, max: 10_000 })),
  idleTimeoutMs: milliseconds({ default: 600_000, min: 1, max: day, orNever: true }),
  maxLifetimeMs: milliseconds({ default: 1_800_000, min: 1, max: 7 * day, orNever: true }),
  keepaliveMs: milliseconds({ default: 120_000, min: 1, max: day, orNever: true }),
  validationTimeoutMs: optional(milliseconds({ default: 5_000, min: 10, max: 600_000 })),
  leakDetectionMs: milliseconds({ default: 0, min: 0, max: day }),
  connectTimeoutMs: milliseconds({ default: 2_000, min: 10, max: 600_000 }),
  parallelConnects: count({ default: 2, min: 1, max: 100 }),
  acquireTimeoutMs: milliseconds({ default: 30_000, min: 1, max: day }),
  maxWaiting: count({ default: 10_000, min: 0, max: 10_000_000 }),
}

const session: OptionTable<SessionOptions> = {
  isolation: optional(oneOf(isolations, 'repeatable-read')),
  timeZone: checked((value, path) => timeZone(value ?? '+00:00', path), '+00:00'),
  variables: checked(variables, {}),
  initSql: checked(readStatements, []),
}

const commitLog: OptionTable<CommitLogOptions> = {
  table: checked(readTable, 'ha_ledger'),
  create: flag(false),
  keepMs: milliseconds({ default: 7 * day, min: 60_000, max: 366 * day }),
}

const noTls: TlsChoice = { mode: 'off', options: {} }

/** All options with their defaults. */
export const optionTable: OptionTable<CheckedOptions> = {
  mode: oneOf(
    ['none', 'sequential', 'loadbalance', 'load-balance-read', 'replication', 'aurora'],
    'sequential',
  ),
  hosts: checked(readHosts, []),
  database: optional(text('')),
  username: text('root'),
  password: credentials(''),
  tls: checked((value, path) => readTls(value, path) ?? noTls, noTls),
  name: text('@ha/mariadb'),
  timeoutMs: milliseconds({ default: 30_000, min: 1, max: day }),
  pool: group(pool),
  monitor: group({
    intervalMs: milliseconds({ default: 1_000, min: 50, max: 600_000 }),
    timeoutMs: milliseconds({ default: 500, min: 10, max: 600_000 }),
    downAfter: count({ default: 2, min: 1, max: 100 }),
    slowQueryMs: milliseconds({ default: 200, min: 10, max: 600_000 }),
  }),
  galera: oneOf(['auto', 'require', 'off'], 'auto'),
  donor: oneOf(['last-resort', 'allow', 'never'], 'last-resort'),
  failBack: group({ afterMs: milliseconds({ default: 30_000, min: 0, max: day, orNever: true }) }),
  maxLagMs: milliseconds({ default: 10_000, min: 0, max: day, orNever: true }),
  consistency: oneOf(['eventual', 'session', 'strong'], 'eventual'),
  retry: group({
    attempts: count({ default: 5, min: 0, max: 1_000 }),
    ...backoffOptions({ baseMs: 20, maxMs: 1_000 }),
  }),
  session: group(session),
  results: group({
    bigint: oneOf(['auto', 'bigint', 'string', 'number'], 'auto'),
    dates: oneOf(['date', 'string'], 'date'),
    json: oneOf(['parsed', 'string'], 'parsed'),
  }),
  commitLog: orOff(group(commitLog)),
}

/** An option that a foreign option can map to. */
export type OptionPath =
  | 'username'
  | 'password'
  | 'database'
  | 'name'
  | 'timeoutMs'
  | 'donor'
  | `pool.${keyof PoolOptions & string}`
  | `session.${keyof SessionOptions & string}`

/** The reader of a target option, so that errors name the place of the foreign option. */
export function readerOf(target: OptionPath): OptionReader<unknown> {
  const [first, key] = target.split('.')
  const table: Readonly<Record<string, OptionReader<unknown>>> =
    key === undefined ? optionTable : first === 'pool' ? pool : session
  const reader = table[key ?? target]
  if (reader === undefined) throw new TypeError(`there is no option ${target}`)
  return reader
}

function orOff<T>(reader: OptionReader<T>): OptionReader<T | undefined> {
  return {
    read(value, path, problems) {
      if (value === undefined || value === false) return undefined
      return reader.read(value === true ? {} : value, path, problems)
    },
  }
}

function readStatements(value: unknown, path: string): readonly string[] {
  if (value === undefined) return Object.freeze([])
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  const statements = list.filter((statement) => typeof statement === 'string')
  const fit = statements.length === list.length && statements.every((statement) => statement.trim() !== '')
  if (!fit) throw invalidOption(path, 'expected a statement or a list of statements, none of them empty')
  const why = statements.map(initSqlProblem).find((each) => each !== undefined)
  if (why !== undefined) throw invalidOption(path, why)
  return Object.freeze(statements)
}

// The name becomes part of statements, so only plain identifiers are accepted.
function readTable(value: unknown, path: string): string {
  if (value === undefined) return 'ha_ledger'
  if (typeof value === 'string' && /^[a-z_][\w$]{0,63}(?:\.[a-z_][\w$]{0,63})?$/i.test(value)) return value
  throw invalidOption(path, 'expected the plain name of a table, or database.table')
}
