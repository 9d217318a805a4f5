import { invalidOption } from '@ha/core/driver'
import {
  type IgnoredOption,
  ignored,
  type MappedOption,
  mapped,
  type RejectedOption,
  rejected,
  withAliases,
} from './foreign-options.ts'
import type { ResolvedOptions, TlsMode } from './resolved-options.ts'
import { javaIsolation, javaTimeZone, javaVariables, type Variables } from './session-options.ts'
import { certificate, javaSslMode, type TlsInput } from './tls.ts'
import {
  anyText,
  anyValue,
  flag,
  nonEmptyText,
  oneOfWords,
  type ValueReader,
  wholeNumber,
} from './value-readers.ts'

/** Options of Connector/J that map to options of this package. */
export const mappedOptions: Readonly<Record<string, MappedOption>> = {
  user: mapped('username', nonEmptyText),
  password: mapped('password', anyText),
  poolName: mapped('name', nonEmptyText),
  connectTimeout: mapped('pool.connectTimeoutMs', wholeNumber({ unit: 'milliseconds', zero: 'default' })),
  socketTimeout: mapped('timeoutMs', wholeNumber({ unit: 'milliseconds', zero: 'default' })),
  maxPoolSize: mapped('pool.maximumSize', wholeNumber()),
  minPoolSize: mapped('pool.minimumIdle', wholeNumber()),
  maxIdleTime: mapped('pool.idleTimeoutMs', wholeNumber({ unit: 'seconds', min: 1 })),
  galeraAllowedState: mapped('donor', donorOfStates),
  transactionIsolation: mapped('session.isolation', javaIsolation),
  timezone: mapped('session.timeZone', javaTimeZone),
  serverTimezone: mapped('session.timeZone', javaTimeZone),
  connectionTimeZone: mapped('session.timeZone', javaTimeZone),
  sessionVariables: mapped('session.variables', javaVariables),
  connectionCollation: mapped('session.variables', collation),
  initSql: mapped('session.initSql', nonEmptyText),
}

// wsrep_local_state: 4 is Synced, 2 is Donor. Nodes in other states cannot serve and are never used.
function donorOfStates(value: unknown, place: string): ResolvedOptions['donor'] {
  const states = anyText(value, place).split(',')
  if (!states.every((state) => /^\s*[0-6]\s*$/.test(state))) {
    throw invalidOption(place, "expected states of wsrep_local_state, such as '4' or '2,4'")
  }
  const allowed = states.map(Number)
  if (!allowed.includes(4)) throw invalidOption(place, 'expected the states to include 4 (Synced)')
  return allowed.includes(2) ? 'allow' : 'never'
}

function collation(value: unknown, place: string): Variables {
  const name = nonEmptyText(value, place)
  if (/^utf8mb4_\w+$/i.test(name)) return { collation_connection: name }
  throw invalidOption(place, 'expected a collation of utf8mb4: no other character set is supported')
}

/** The TLS settings of a URL, in the names of three generations of Connector/J. */
export interface JavaTlsSettings {
  readonly sslMode?: TlsMode
  readonly useSsl?: boolean
  readonly requireSsl?: boolean
  readonly trustServerCertificate?: boolean
  readonly disableSslHostnameVerification?: boolean
  readonly verifyServerCertificate?: boolean
  readonly ca?: string
  readonly versions?: Versions
}

interface Versions {
  readonly minVersion: Version
  readonly maxVersion: Version
}

type Version = (typeof versions)[number]

/** One of the options that make up `tls`. */
export interface TlsOption {
  readonly kind: 'tls'
  readonly setting: keyof JavaTlsSettings
  readonly read: ValueReader
}

/** Options of Connector/J that together make up `tls`. */
export const tlsOptions: Readonly<Record<string, TlsOption>> = {
  sslMode: { kind: 'tls', setting: 'sslMode', read: javaSslMode },
  useSsl: { kind: 'tls', setting: 'useSsl', read: flag },
  requireSSL: { kind: 'tls', setting: 'requireSsl', read: flag },
  trustServerCertificate: { kind: 'tls', setting: 'trustServerCertificate', read: flag },
  disableSslHostnameVerification: { kind: 'tls', setting: 'disableSslHostnameVerification', read: flag },
  verifyServerCertificate: { kind: 'tls', setting: 'verifyServerCertificate', read: flag },
  serverSslCert: { kind: 'tls', setting: 'ca', read: certificate },
  enabledSslProtocolSuites: { kind: 'tls', setting: 'versions', read: readVersions },
  enabledTLSProtocols: { kind: 'tls', setting: 'versions', read: readVersions },
}

/** Combines the settings; undefined without any. `sslMode` takes precedence over the older names. */
export function tlsOf(words: JavaTlsSettings): Exclude<TlsInput, boolean | TlsMode> | undefined {
  if (Object.keys(words).length === 0) return undefined
  const { ca, versions } = words
  return { mode: modeOf(words), options: { ...(ca !== undefined && { ca }), ...versions } }
}

function modeOf(words: JavaTlsSettings): TlsMode {
  if (words.sslMode !== undefined) return words.sslMode
  if (words.useSsl !== true && words.requireSsl !== true) return 'off'
  if (words.trustServerCertificate === true || words.verifyServerCertificate === false) return 'trust'
  return words.disableSslHostnameVerification === true ? 'verify-ca' : 'verify-full'
}

const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const

function readVersions(value: unknown, place: string): Versions {
  const named = new Set(nonEmptyText(value, place).split(/[\s,]+/))
  const known = versions.filter((version) => named.has(version))
  const [minVersion] = known
  const maxVersion = known.at(-1)
  if (minVersion === undefined || maxVersion === undefined || known.length < named.size) {
    throw invalidOption(place, `expected versions of TLS: ${versions.join(', ')}`)
  }
  return { minVersion, maxVersion }
}

const utf8 = oneOfWords(
  new Map([
    ['utf8', 'utf8'],
    ['utf-8', 'utf8'],
    ['utf8mb4', 'utf8'],
    ['utf8mb3', 'utf8'],
  ]),
)

/**
 * Options of Connector/J that cannot be ignored, because that would change the behaviour or the security of a
 * program.
 */
export const rejectedOptions: Readonly<Record<string, RejectedOption>> = {
  autocommit: rejected('statements outside transaction() run in autocommit mode', flag, [true]),
  allowLocalInfile: rejected('a server could request any file of this machine', flag, [false]),
  allowUrlInLocalInfile: rejected('a server could request any address of this network', flag, [false]),
  database: rejected('write the database after the hosts: //host/database'),
  ...withAliases(
    rejected('connections use utf8mb4: omit the option, or write utf8', utf8, ['utf8']),
    'characterEncoding',
    'passwordCharacterEncoding',
    'characterSetResults',
  ),
  useUnicode: rejected('connections use utf8mb4', flag, [true]),
  localSocket: rejected('write it as a host: //address=(localSocket=/path)/database'),
  ...withAliases(rejected('named pipes and shared memory are not supported'), 'pipe', 'sharedMemory'),
  localSocketAddress: rejected('the operating system chooses the local address'),
  ...withAliases(
    rejected('Java classes have no equivalent: use options of node:tls in tls, or host names'),
    'socketFactory',
    'tlsSocketType',
  ),
  ...withAliases(
    rejected(
      'key stores and trust stores are not supported: pass { tls: { options: { ca, cert, key } } } beside the URL',
    ),
    'keyStore',
    'keyStorePassword',
    'keyStoreType',
    'keyPassword',
    'trustStore',
    'trustStorePassword',
    'trustStoreType',
    'clientCertificateKeyStoreUrl',
    'clientCertificateKeyStorePassword',
    'clientCertificateKeyStoreType',
    'trustCertificateKeyStoreUrl',
    'trustCertificateKeyStorePassword',
    'trustCertificateKeyStoreType',
  ),
  ...withAliases(
    rejected("Java's cipher names differ: pass { tls: { options: { ciphers } } } beside the URL"),
    'enabledSslCipherSuites',
  ),
  ...withAliases(
    rejected('logins use a password, which may be a function: pass { password } beside the URL'),
    'credentialType',
    'servicePrincipalName',
    'restrictedAuth',
    'serverRsaPublicKeyFile',
  ),
}

const failover: Readonly<Record<string, IgnoredOption>> = {
  ...withAliases(
    ignored('a lost connection is always replaced', flag, [true]),
    'autoReconnect',
    'autoReconnectForPools',
  ),
  ...withAliases(
    ignored('the deadline of the call bounds the attempts', wholeNumber()),
    'retriesAllDown',
    'failoverLoopRetries',
    'maxReconnects',
  ),
  ...withAliases(
    ignored('a host that is down is probed continuously and used again once it responds', wholeNumber()),
    'loadBalanceBlacklistTimeout',
    'deniedListTimeout',
    'waitReconnectTimeout',
  ),
  validConnectionTimeout: ignored(
    'every host is monitored on a connection of its own: see monitor',
    wholeNumber(),
  ),
  assureReadOnly: ignored('every server is checked for read_only', flag),
  failOnReadOnly: ignored('a write waits for a primary, until its deadline', flag),
  failOverReadOnly: ignored('a write waits for a primary, until its deadline', flag),
  allowMasterDownConnection: ignored('reads go on without a primary', flag, [true]),
  roundRobinLoadBalance: ignored('use the mode loadbalance', flag),
  transactionReplay: ignored('transaction() runs its callback again and never replays statements', flag, [
    false,
  ]),
  transactionReplaySize: ignored(
    'transaction() runs its callback again and never replays statements',
    wholeNumber(),
  ),
  permitRedirect: ignored('connections go to the listed hosts only', flag, [false]),
  trackSchema: ignored('every lease begins in the database of the URL', flag),
  ensureSocketState: ignored('every connection is monitored', flag),
}

const sockets: Readonly<Record<string, IgnoredOption>> = {
  tcpKeepAlive: ignored('TCP keep-alive is always on', flag, [true]),
  tcpNoDelay: ignored('TCP_NODELAY is always on', flag, [true]),
  tcpAbortiveClose: ignored('sockets are closed normally', flag, [false]),
  ...withAliases(
    ignored('the operating system decides', wholeNumber()),
    'tcpKeepIdle',
    'tcpKeepCount',
    'tcpKeepInterval',
    'tcpRcvBuf',
    'tcpSndBuf',
  ),
  useCompression: ignored('connections are not compressed', flag, [false]),
  maxAllowedPacket: ignored("the server's limit applies", wholeNumber()),
  ...withAliases(
    ignored('the driver decides', flag),
    'disablePipeline',
    'usePipelineAuth',
    'useReadAheadInput',
    'useUnbufferedInput',
  ),
  interactiveClient: ignored("the server's wait_timeout applies", flag, [false]),
  allowPublicKeyRetrieval: ignored('public keys are never retrieved: use TLS where a login needs one', flag, [
    false,
  ]),
  connectionAttributes: ignored('connections send program_name, which is the option name'),
  disconnectOnExpiredPasswords: ignored('an expired password is refused', flag, [true]),
  ...withAliases(
    ignored('the CA certificates of node:tls apply, or tls.options.ca', flag),
    'fallbackToSystemKeyStore',
    'fallbackToSystemTrustStore',
  ),
  useIpForKillQuery: ignored('a statement is killed on its own server, by its IP address or name', flag),
}

const pools: Readonly<Record<string, IgnoredOption>> = {
  pool: ignored('every host has a pool', flag, [true]),
  poolValidMinDelay: ignored('a connection is validated when it was idle for a while', wholeNumber()),
  useResetConnection: ignored('every lease begins with the same session state', flag, [true]),
  staticGlobal: ignored('every lease begins with the same session state', flag, [false]),
  registerJmxPool: ignored('health() and the diagnostics channels take its place', flag),
  pinGlobalTxToPhysicalConnection: ignored('XA transactions are not supported', flag, [false]),
}

const statements: Readonly<Record<string, IgnoredOption>> = {
  allowMultiQueries: ignored(
    'a text with several statements is refused by the server: use transaction()',
    flag,
    [false],
  ),
  useAffectedRows: ignored('affectedRows counts matched rows, which is the default of Connector/J', flag, [
    false,
  ]),
  ...withAliases(
    ignored('a client creates no database: create it when the server is set up', flag, [false]),
    'createDatabaseIfNotExist',
    'createDB',
  ),
  ...withAliases(
    ignored('batch() uses the bulk protocol', flag),
    'rewriteBatchedStatements',
    'useBulkStmts',
    'useBulkStmtsForInserts',
    'useBatchMultiSend',
    'continueBatchOnError',
  ),
  useBatchMultiSendNumber: ignored('batch() uses the bulk protocol', wholeNumber()),
  ...withAliases(
    ignored('execute() prepares and query() does not', flag),
    'useServerPrepStmts',
    'cachePrepStmts',
    'cacheCallableStmts',
    'emulateUnsupportedPstmts',
  ),
  ...withAliases(
    ignored('execute() keeps its prepared statements', wholeNumber()),
    'prepStmtCacheSize',
    'prepStmtCacheSqlLimit',
    'callableStmtCacheSize',
  ),
  useCursorFetch: ignored('stream() reads row by row', flag),
  defaultFetchSize: ignored('stream() reads row by row', wholeNumber()),
  ...withAliases(
    ignored('the session state is configured in session', flag),
    'useLocalSessionState',
    'useLocalTransactionState',
    'elideSetAutoCommits',
    'cacheServerConfiguration',
    'cacheResultSetMetadata',
    'cacheCodecs',
    'jdbcCompliantTruncation',
  ),
  ...withAliases(
    ignored('a result contains rows, or a count and one insertId', flag),
    'returnMultiValuesGeneratedIds',
    'permitNoResults',
  ),
}

const values: Readonly<Record<string, IgnoredOption>> = {
  ...withAliases(
    ignored('values are converted by column type: see results', flag),
    'tinyInt1isBit',
    'transformedBitIsBoolean',
    'yearIsDateType',
    'useFractionalSeconds',
    'uuidAsString',
    'oldModeNoPrecisionTimestamp',
  ),
  ...withAliases(
    ignored('values are converted by column type: see results'),
    'zeroDateTimeBehavior',
    'geometryDefaultType',
  ),
  ...withAliases(
    ignored('dates are read and written in session.timeZone', flag),
    'forceConnectionTimeZoneToSession',
    'preserveInstants',
    'pureLocalDateTime',
    'useLegacyDatetimeCode',
    'useJDBCCompliantTimezoneShift',
  ),
}

const reports: Readonly<Record<string, IgnoredOption>> = {
  ...withAliases(
    ignored('events, health() and the diagnostics channels take its place', anyValue),
    'log',
    'logger',
    'profileSql',
    'maxQuerySizeToLog',
    'slowQueryThresholdNanos',
    'enablePacketDebug',
    'maintainTimeStats',
    'dumpQueriesOnException',
    'includeInnodbStatusInDeadlockExceptions',
    'includeThreadDumpInDeadlockExceptions',
  ),
  ...withAliases(
    ignored('JDBC metadata is not supported', anyValue),
    'blankTableNameMeta',
    'useMysqlMetadata',
    'useOldAliasMetadataBehavior',
    'maximizeMysqlCompatibility',
    'nullDatabaseMeansCurrent',
    'nullCatalogMeansCurrent',
    'nullNamePatternMatchesAll',
    'useCatalogTerm',
    'databaseTerm',
    'metaExportedKeys',
    'useInformationSchema',
    'noAccessToProcedureBodies',
  ),
}

/** Options of Connector/J without a meaning here; each produces a warning with the reason. */
export const ignoredOptions: Readonly<Record<string, IgnoredOption>> = {
  ...failover,
  ...sockets,
  ...pools,
  ...statements,
  ...values,
  ...reports,
}
