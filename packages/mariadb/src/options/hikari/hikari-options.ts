import { type ForeignOption, ignored, mapped, rejected } from '../foreign-option.ts'
import { javaIsolation } from '../isolation.ts'
import { anyText, flag, numeral, words } from '../spelling.ts'

const milliseconds = 'milliseconds'
const javaClass = ignored('the class belongs to Java')
const metrics = ignored('health() and the diagnostics channels take its place')

// In camel case, as in Java.
type HikariName =
  | 'username'
  | 'password'
  | 'poolName'
  | 'schema'
  | 'catalog'
  | 'connectionTimeout'
  | 'validationTimeout'
  | 'idleTimeout'
  | 'maxLifetime'
  | 'keepaliveTime'
  | 'leakDetectionThreshold'
  | 'maximumPoolSize'
  | 'minimumIdle'
  | 'connectionInitSql'
  | 'transactionIsolation'
  | 'autoCommit'
  | 'readOnly'
  | 'initializationFailTimeout'
  | 'connectionTestQuery'
  | 'isolateInternalQueries'
  | 'allowPoolSuspension'
  | 'registerMbeans'
  | 'metricRegistry'
  | 'metricsTrackerFactory'
  | 'healthCheckRegistry'
  | 'healthCheckProperties'
  | 'driverClassName'
  | 'dataSource'
  | 'dataSourceClassName'
  | 'dataSourceJndi'
  | 'dataSourceJndiName'
  | 'dataSourceProperties'
  | 'exceptionOverride'
  | 'exceptionOverrideClassName'
  | 'credentials'
  | 'credentialsProviderClassName'
  | 'threadFactory'
  | 'scheduledExecutor'

/** Everything that HikariCP has a name for beside `jdbcUrl`, and what becomes of it here. */
export const hikariOptions: Readonly<Record<HikariName, ForeignOption>> = {
  username: mapped('username', words),
  password: mapped('password', anyText),
  poolName: mapped('name', words),
  schema: mapped('database', words),
  catalog: mapped('database', words),
  connectionTimeout: mapped('pool.acquireTimeoutMs', numeral({ unit: milliseconds, min: 250 })),
  validationTimeout: mapped('pool.validationTimeoutMs', numeral({ unit: milliseconds, min: 250 })),
  idleTimeout: mapped('pool.idleTimeoutMs', numeral({ unit: milliseconds, min: 10_000, zero: 'never' })),
  maxLifetime: mapped('pool.maxLifetimeMs', numeral({ unit: milliseconds, min: 30_000, zero: 'never' })),
  keepaliveTime: mapped('pool.keepaliveMs', numeral({ unit: milliseconds, min: 30_000, zero: 'never' })),
  leakDetectionThreshold: mapped('pool.leakDetectionMs', leakThreshold),
  maximumPoolSize: mapped('pool.maximumSize', numeral({ min: 1 })),
  minimumIdle: mapped('pool.minimumIdle', numeral()),
  connectionInitSql: mapped('session.initSql', words),
  transactionIsolation: mapped('session.isolation', javaIsolation),
  autoCommit: rejected('a statement outside transaction() commits by itself', flag, [true]),
  readOnly: rejected('reads are asked for one by one: readOnly(), or route', flag, [false]),
  initializationFailTimeout: ignored(
    'the client is there at once: wait for a server with ready({ timeoutMs })',
  ),
  connectionTestQuery: ignored('a connection is asked for a sign of life by a ping'),
  isolateInternalQueries: ignored('the client asks nothing inside of your transactions', flag),
  allowPoolSuspension: ignored('a pool is not suspended: see drain()', flag, [false]),
  registerMbeans: metrics,
  metricRegistry: metrics,
  metricsTrackerFactory: metrics,
  healthCheckRegistry: metrics,
  healthCheckProperties: metrics,
  driverClassName: javaClass,
  dataSource: javaClass,
  dataSourceClassName: javaClass,
  dataSourceJndi: javaClass,
  dataSourceJndiName: javaClass,
  dataSourceProperties: ignored('write options of the connector as parameters of the URL'),
  exceptionOverride: javaClass,
  exceptionOverrideClassName: javaClass,
  credentials: javaClass,
  credentialsProviderClassName: javaClass,
  threadFactory: javaClass,
  scheduledExecutor: javaClass,
}

function leakThreshold(value: unknown, place: string): number {
  const threshold = numeral({ unit: milliseconds, min: 2_000, zero: 'never' })(value, place)
  return threshold === undefined || threshold === Number.POSITIVE_INFINITY ? 0 : threshold
}

type CamelName = HikariName | 'jdbcUrl'

type Kebab<Word extends string> = Word extends `${infer First}${infer Rest}`
  ? First extends Lowercase<First>
    ? `${First}${Kebab<Rest>}`
    : `-${Lowercase<First>}${Kebab<Rest>}`
  : Word

/** A block of HikariCP as Spring has it: names in camel or kebab case, numbers also as text. */
export type HikariOptions = { readonly [Name in CamelName | Kebab<CamelName>]?: unknown }
