import { didYouMean, invalidOption, Problems } from '@ha/core/driver'
import {
  type ForeignOption,
  ignored,
  mapped,
  mergeOptions,
  rejected,
  type TranslatedOptions,
  translate,
} from './foreign-options.ts'
import { javaIsolation } from './session-options.ts'
import { anyText, flag, nonEmptyText, wholeNumber } from './value-readers.ts'

const milliseconds = 'milliseconds'
const javaClass = ignored('Java classes have no equivalent')
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

/** All options of HikariCP except `jdbcUrl`, and their translation. */
export const hikariOptions: Readonly<Record<HikariName, ForeignOption>> = {
  username: mapped('username', nonEmptyText),
  password: mapped('password', anyText),
  poolName: mapped('name', nonEmptyText),
  schema: mapped('database', nonEmptyText),
  catalog: mapped('database', nonEmptyText),
  connectionTimeout: mapped('pool.acquireTimeoutMs', wholeNumber({ unit: milliseconds, min: 250 })),
  validationTimeout: mapped('pool.validationTimeoutMs', wholeNumber({ unit: milliseconds, min: 250 })),
  idleTimeout: mapped('pool.idleTimeoutMs', wholeNumber({ unit: milliseconds, min: 10_000, zero: 'never' })),
  maxLifetime: mapped('pool.maxLifetimeMs', wholeNumber({ unit: milliseconds, min: 30_000, zero: 'never' })),
  keepaliveTime: mapped('pool.keepaliveMs', wholeNumber({ unit: milliseconds, min: 30_000, zero: 'never' })),
  leakDetectionThreshold: mapped('pool.leakDetectionMs', leakThreshold),
  maximumPoolSize: mapped('pool.maximumSize', wholeNumber({ min: 1 })),
  minimumIdle: mapped('pool.minimumIdle', wholeNumber()),
  connectionInitSql: mapped('session.initSql', nonEmptyText),
  transactionIsolation: mapped('session.isolation', javaIsolation),
  autoCommit: rejected('statements outside transaction() run in autocommit mode', flag, [true]),
  readOnly: rejected('read-only access is requested per call: readOnly(), or route', flag, [false]),
  initializationFailTimeout: ignored(
    'the client is created at once: wait for a server with ready({ timeoutMs })',
  ),
  connectionTestQuery: ignored('connections are validated with a ping'),
  isolateInternalQueries: ignored('the client sends no queries of its own inside transactions', flag),
  allowPoolSuspension: ignored('pools cannot be suspended: see drain()', flag, [false]),
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
  dataSourceProperties: ignored('write connector options as parameters of the URL'),
  exceptionOverride: javaClass,
  exceptionOverrideClassName: javaClass,
  credentials: javaClass,
  credentialsProviderClassName: javaClass,
  threadFactory: javaClass,
  scheduledExecutor: javaClass,
}

function leakThreshold(value: unknown, place: string): number {
  const threshold = wholeNumber({ unit: milliseconds, min: 2_000, zero: 'never' })(value, place)
  return threshold === undefined || threshold === Number.POSITIVE_INFINITY ? 0 : threshold
}

type CamelName = HikariName | 'jdbcUrl'

type Kebab<Word extends string> = Word extends `${infer First}${infer Rest}`
  ? First extends Lowercase<First>
    ? `${First}${Kebab<Rest>}`
    : `-${Lowercase<First>}${Kebab<Rest>}`
  : Word

/** A HikariCP block of a Spring configuration: names in camel or kebab case, numbers also as text. */
export type HikariOptions = { readonly [Name in CamelName | Kebab<CamelName>]?: unknown }

/** The translation of a HikariCP block. */
export interface TranslatedHikari extends TranslatedOptions {
  /** Its `jdbc-url`. */
  readonly url: string | undefined
}

const options: Readonly<Record<string, ForeignOption>> = hikariOptions
const names: readonly string[] = ['jdbcUrl', ...Object.keys(options)]
const byFolded = new Map(names.map((name) => [folded(name), name]))

/**
 * Reads a HikariCP block, with HikariCP's names and minimum values. Throws one `config-invalid` with all problems.
 */
export function readHikari(block: unknown, path: string): TranslatedHikari {
  if (typeof block !== 'object' || block === null || Array.isArray(block)) {
    throw invalidOption(path, 'expected an object with the names of HikariCP')
  }
  const problems = new Problems()
  let sofar: TranslatedHikari = { url: undefined, draft: {}, warnings: [] }
  const seen = new Set<string>()
  for (const [written, value] of Object.entries(block)) {
    if (value === undefined) continue
    const place = `${path}.${written}`
    try {
      const name = byFolded.get(folded(written))
      if (name === undefined)
        throw invalidOption(place, `there is no such option${didYouMean(written, names)}`)
      if (seen.has(name)) throw invalidOption(place, 'the option is given twice, in two spellings')
      seen.add(name)
      sofar = addOption(sofar, name, { value, place })
    } catch (error) {
      problems.addError(error)
    }
  }
  problems.throwIfAny()
  return sofar
}

function addOption(
  sofar: TranslatedHikari,
  name: string,
  { value, place }: { readonly value: unknown; readonly place: string },
): TranslatedHikari {
  const option = options[name]
  if (option === undefined) return { ...sofar, url: nonEmptyText(value, place) }
  const { draft = {}, warning } = translate(option, value, place)
  const warnings = warning === undefined ? sofar.warnings : [...sofar.warnings, warning]
  return { ...sofar, draft: mergeOptions(sofar.draft, draft), warnings }
}

// maximum-pool-size, maximumPoolSize and maximum_pool_size are the same name.
function folded(name: string): string {
  return name.replaceAll(/[-_]/g, '').toLowerCase()
}
