import { each, type IgnoredOption, ignored } from '../foreign-option.ts'
import { anything, flag, numeral } from '../spelling.ts'

const failover: Readonly<Record<string, IgnoredOption>> = {
  ...each(
    ignored('a connection that is lost is always made again', flag, [true]),
    'autoReconnect',
    'autoReconnectForPools',
  ),
  ...each(
    ignored('the deadline of the call bounds the attempts', numeral()),
    'retriesAllDown',
    'failoverLoopRetries',
    'maxReconnects',
  ),
  ...each(
    ignored('a host that is down is asked again and again, and used once it has answered', numeral()),
    'loadBalanceBlacklistTimeout',
    'deniedListTimeout',
    'waitReconnectTimeout',
  ),
  validConnectionTimeout: ignored('every host is watched by a connection of its own: see monitor', numeral()),
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
    numeral(),
  ),
  permitRedirect: ignored('connections go to the hosts that are named, and nowhere else', flag, [false]),
  trackSchema: ignored('every borrow begins in the database of the URL', flag),
  ensureSocketState: ignored('every connection is watched for an end', flag),
}

const sockets: Readonly<Record<string, IgnoredOption>> = {
  tcpKeepAlive: ignored('keepalive is always on', flag, [true]),
  tcpNoDelay: ignored('small packets are never held back', flag, [true]),
  tcpAbortiveClose: ignored('the system closes sockets as it always does', flag, [false]),
  ...each(
    ignored('the system chooses it', numeral()),
    'tcpKeepIdle',
    'tcpKeepCount',
    'tcpKeepInterval',
    'tcpRcvBuf',
    'tcpSndBuf',
  ),
  useCompression: ignored('connections are not compressed', flag, [false]),
  maxAllowedPacket: ignored("the server's own limit counts", numeral()),
  ...each(
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
  ...each(
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
    numeral(),
  ),
  useResetConnection: ignored('every borrow begins with the same session', flag, [true]),
  staticGlobal: ignored('every borrow begins with the same session', flag, [false]),
  registerJmxPool: ignored('health() and the diagnostics channels take its place', flag),
  pinGlobalTxToPhysicalConnection: ignored('there are no XA transactions here', flag, [false]),
}

const statements: Readonly<Record<string, IgnoredOption>> = {
  ...each(
    ignored('batch() uses the bulk protocol', flag),
    'rewriteBatchedStatements',
    'useBulkStmts',
    'useBulkStmtsForInserts',
    'useBatchMultiSend',
    'continueBatchOnError',
  ),
  useBatchMultiSendNumber: ignored('batch() uses the bulk protocol', numeral()),
  ...each(
    ignored('execute() prepares and query() does not', flag),
    'useServerPrepStmts',
    'cachePrepStmts',
    'cacheCallableStmts',
    'emulateUnsupportedPstmts',
  ),
  ...each(
    ignored('execute() keeps what it prepared, as many as are of use', numeral()),
    'prepStmtCacheSize',
    'prepStmtCacheSqlLimit',
    'callableStmtCacheSize',
  ),
  useCursorFetch: ignored('stream() reads row by row', flag),
  defaultFetchSize: ignored('stream() reads row by row', numeral()),
  ...each(
    ignored('state of the session is declared in session', flag),
    'useLocalSessionState',
    'useLocalTransactionState',
    'elideSetAutoCommits',
    'cacheServerConfiguration',
    'cacheResultSetMetadata',
    'cacheCodecs',
    'jdbcCompliantTruncation',
  ),
  ...each(
    ignored('an answer is rows, or a count and one insertId', flag),
    'returnMultiValuesGeneratedIds',
    'permitNoResults',
  ),
}

const values: Readonly<Record<string, IgnoredOption>> = {
  ...each(
    ignored('a value comes as its column says: see results', flag),
    'tinyInt1isBit',
    'transformedBitIsBoolean',
    'yearIsDateType',
    'useFractionalSeconds',
    'uuidAsString',
    'oldModeNoPrecisionTimestamp',
  ),
  ...each(
    ignored('a value comes as its column says: see results'),
    'zeroDateTimeBehavior',
    'geometryDefaultType',
  ),
  ...each(
    ignored('dates are read and written in session.timeZone', flag),
    'forceConnectionTimeZoneToSession',
    'preserveInstants',
    'pureLocalDateTime',
    'useLegacyDatetimeCode',
    'useJDBCCompliantTimezoneShift',
  ),
}

const reports: Readonly<Record<string, IgnoredOption>> = {
  ...each(
    ignored('events, health() and the diagnostics channels take its place', anything),
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
  ...each(
    ignored('there is no JDBC metadata here', anything),
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
