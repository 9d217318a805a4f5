import { invalidOption } from '@ha/core/driver'
import {
  type IgnoredOption,
  ignored,
  type MappedOption,
  mapped,
  type RejectedOption,
  rejected,
  underNames,
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

/** Options of Connector/J that become options of ours. */
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

// States of wsrep_local_state: 4 is synced, 2 a donor. What else is listed could not serve and is never routed to.
function donorOfStates(value: unknown, place: string): ResolvedOptions['donor'] {
  const states = anyText(value, place).split(',')
  if (!states.every((state) => /^\s*[0-6]\s*$/.test(state))) {
    throw invalidOption(place, "expected states of wsrep_local_state, such as '4' or '2,4'")
  }
  const allowed = states.map(Number)
  if (!allowed.includes(4))
    throw invalidOption(place, 'expected 4, the state of a node that is synced, among the states')
  return allowed.includes(2) ? 'allow' : 'never'
}

function collation(value: unknown, place: string): Variables {
  const name = nonEmptyText(value, place)
  if (/^utf8mb4_\w+$/i.test(name)) return { collation_connection: name }
  throw invalidOption(place, 'expected a collation of utf8mb4: connections speak no other character set')
}

/** What a URL says of TLS, in the words of three generations of Connector/J. */
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

/** An option that is one of several words for `tls`. */
export interface TlsOption {
  readonly kind: 'tls'
  readonly setting: keyof JavaTlsSettings
  readonly read: ValueReader
}

/** Options of Connector/J that make up `tls` together. */
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

/** What the words come to together; undefined when nothing was said. `sslMode` counts before the older words. */
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

/** Options of Connector/J whose wish, passed over, would change what a program does or how safe it is. */
export const rejectedOptions: Readonly<Record<string, RejectedOption>> = {
  allowMultiQueries: rejected(
    'when the connection is lost, nobody could say which statements of a list were done: use transaction()',
    flag,
    [false],
  ),
  autocommit: rejected('a statement outside transaction() commits by itself', flag, [true]),
  useAffectedRows: rejected('affectedRows counts the rows that were found, as is the default of Java', flag, [
    false,
  ]),
  allowLocalInfile: rejected('a server could ask for any file of this machine', flag, [false]),
  allowUrlInLocalInfile: rejected('a server could ask for any address of this network', flag, [false]),
  createDatabaseIfNotExist: rejected('a client makes no database: make it where the server is set up', flag, [
    false,
  ]),
  createDB: rejected('a client makes no database: make it where the server is set up', flag, [false]),
  database: rejected('write the database after the hosts: //host/database'),
  ...underNames(
    rejected('connections speak utf8mb4: leave it out, or write utf8', utf8, ['utf8']),
    'characterEncoding',
    'passwordCharacterEncoding',
    'characterSetResults',
  ),
  useUnicode: rejected('connections speak utf8mb4', flag, [true]),
  localSocket: rejected('write it as a host: //address=(localSocket=/path)/database'),
  ...underNames(rejected('named pipes and shared memory belong to Windows and Java'), 'pipe', 'sharedMemory'),
  localSocketAddress: rejected('the address to dial from is chosen by the system'),
  ...underNames(
    rejected("the class belongs to Java: use options of node:tls in tls, or the hosts' names"),
    'socketFactory',
    'tlsSocketType',
  ),
  ...underNames(
    rejected(
      'key stores and trust stores belong to Java: give { tls: { options: { ca, cert, key } } } beside the URL',
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
  ...underNames(
    rejected("Java's names of ciphers differ: give { tls: { options: { ciphers } } } beside the URL"),
    'enabledSslCipherSuites',
  ),
  ...underNames(
    rejected('logins are by password, which may be a function: give { password } beside the URL'),
    'credentialType',
    'servicePrincipalName',
    'restrictedAuth',
    'serverRsaPublicKeyFile',
  ),
}

const failover: Readonly<Record<string, IgnoredOption>> = {
  ...underNames(
    ignored('a connection that is lost is always made again', flag, [true]),
    'autoReconnect',
    'autoReconnectForPools',
  ),
  ...underNames(
    ignored('the deadline of the call bounds the attempts', wholeNumber()),
    'retriesAllDown',
    'failoverLoopRetries',
    'maxReconnects',
  ),
  ...underNames(
    ignored('a host that is down is asked again and again, and used once it has answered', wholeNumber()),
    'loadBalanceBlacklistTimeout',
    'deniedListTimeout',
    'waitReconnectTimeout',
  ),
  validConnectionTimeout: ignored(
    'every host is watched by a connection of its own: see monitor',
    wholeNumber(),
  ),
  assureReadOnly: ignored('every server is asked whether it is read-only', flag),
  failOnReadOnly: ignored('a write waits for a primary, until its deadline', flag),
  failOverReadOnly: ignored('a write waits for a primary, until its deadline', flag),
  allowMasterDownConnection: ignored('reads go on without a primary', flag, [true]),
  roundRobinLoadBalance: ignored('write the mode loadbalance', flag),
  transactionReplay: ignored('transaction() runs its callback again and never replays statements', flag, [
    false,
  ]),
  transactionReplaySize: ignored(
    'transaction() runs its callback again and never replays statements',
    wholeNumber(),
  ),
  permitRedirect: ignored('connections go to the hosts that are named, and nowhere else', flag, [false]),
  trackSchema: ignored('every borrow begins in the database of the URL', flag),
  ensureSocketState: ignored('every connection is watched for an end', flag),
}

const sockets: Readonly<Record<string, IgnoredOption>> = {
  tcpKeepAlive: ignored('keepalive is always on', flag, [true]),
  tcpNoDelay: ignored('small packets are never held back', flag, [true]),
  tcpAbortiveClose: ignored('the system closes sockets as it always does', flag, [false]),
  ...underNames(
    ignored('the system chooses it', wholeNumber()),
    'tcpKeepIdle',
    'tcpKeepCount',
    'tcpKeepInterval',
    'tcpRcvBuf',
    'tcpSndBuf',
  ),
  useCompression: ignored('connections are not compressed', flag, [false]),
  maxAllowedPacket: ignored("the server's own limit counts", wholeNumber()),
  ...underNames(
    ignored('the driver reads and writes as it sees fit', flag),
    'disablePipeline',
    'usePipelineAuth',
    'useReadAheadInput',
    'useUnbufferedInput',
  ),
  interactiveClient: ignored("the server's wait_timeout counts", flag, [false]),
  allowPublicKeyRetrieval: ignored('a public key is never asked for: use TLS where a login needs one', flag, [
    false,
  ]),
  connectionAttributes: ignored('connections carry program_name, which is name'),
  disconnectOnExpiredPasswords: ignored('an expired password is refused', flag, [true]),
  ...underNames(
    ignored('the roots of node:tls count, or tls.options.ca', flag),
    'fallbackToSystemKeyStore',
    'fallbackToSystemTrustStore',
  ),
  useIpForKillQuery: ignored('no second connection is made to kill a query', flag),
}

const pools: Readonly<Record<string, IgnoredOption>> = {
  pool: ignored('there is always a pool for each host', flag, [true]),
  poolValidMinDelay: ignored(
    'a connection is asked for a sign of life when it was idle for a while',
    wholeNumber(),
  ),
  useResetConnection: ignored('every borrow begins with the same session', flag, [true]),
  staticGlobal: ignored('every borrow begins with the same session', flag, [false]),
  registerJmxPool: ignored('health() and the diagnostics channels take its place', flag),
  pinGlobalTxToPhysicalConnection: ignored('there are no XA transactions here', flag, [false]),
}

const statements: Readonly<Record<string, IgnoredOption>> = {
  ...underNames(
    ignored('batch() uses the bulk protocol', flag),
    'rewriteBatchedStatements',
    'useBulkStmts',
    'useBulkStmtsForInserts',
    'useBatchMultiSend',
    'continueBatchOnError',
  ),
  useBatchMultiSendNumber: ignored('batch() uses the bulk protocol', wholeNumber()),
  ...underNames(
    ignored('execute() prepares and query() does not', flag),
    'useServerPrepStmts',
    'cachePrepStmts',
    'cacheCallableStmts',
    'emulateUnsupportedPstmts',
  ),
  ...underNames(
    ignored('execute() keeps what it prepared, as many as are of use', wholeNumber()),
    'prepStmtCacheSize',
    'prepStmtCacheSqlLimit',
    'callableStmtCacheSize',
  ),
  useCursorFetch: ignored('stream() reads row by row', flag),
  defaultFetchSize: ignored('stream() reads row by row', wholeNumber()),
  ...underNames(
    ignored('state of the session is declared in session', flag),
    'useLocalSessionState',
    'useLocalTransactionState',
    'elideSetAutoCommits',
    'cacheServerConfiguration',
    'cacheResultSetMetadata',
    'cacheCodecs',
    'jdbcCompliantTruncation',
  ),
  ...underNames(
    ignored('an answer is rows, or a count and one insertId', flag),
    'returnMultiValuesGeneratedIds',
    'permitNoResults',
  ),
}

const values: Readonly<Record<string, IgnoredOption>> = {
  ...underNames(
    ignored('a value comes as its column says: see results', flag),
    'tinyInt1isBit',
    'transformedBitIsBoolean',
    'yearIsDateType',
    'useFractionalSeconds',
    'uuidAsString',
    'oldModeNoPrecisionTimestamp',
  ),
  ...underNames(
    ignored('a value comes as its column says: see results'),
    'zeroDateTimeBehavior',
    'geometryDefaultType',
  ),
  ...underNames(
    ignored('dates are read and written in session.timeZone', flag),
    'forceConnectionTimeZoneToSession',
    'preserveInstants',
    'pureLocalDateTime',
    'useLegacyDatetimeCode',
    'useJDBCCompliantTimezoneShift',
  ),
}

const reports: Readonly<Record<string, IgnoredOption>> = {
  ...underNames(
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
  ...underNames(
    ignored('there is no JDBC metadata here', anyValue),
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

/** Options of Connector/J that mean nothing here; whoever writes one is told why. */
export const ignoredOptions: Readonly<Record<string, IgnoredOption>> = {
  ...failover,
  ...sockets,
  ...pools,
  ...statements,
  ...values,
  ...reports,
}
