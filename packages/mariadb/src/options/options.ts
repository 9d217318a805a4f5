import { invalidOption, readGiven, resolveOptions, typeName } from '@ha/core/driver'
import { type Draft, mergeOptions, type TranslatedOptions } from './foreign-options.ts'
import { type HikariOptions, readHikari, type TranslatedHikari } from './hikari.ts'
import { completeHosts, type HostInput } from './hosts.ts'
import { isNodeUrl, readJavaUrl, readNodeUrl } from './java-url.ts'
import { type CheckedPool, optionTable } from './option-table.ts'
import type { CommitLogOptions, Mode, PoolOptions, ResolvedOptions } from './resolved-options.ts'
import type { TlsInput } from './tls.ts'

type Groups = 'pool' | 'monitor' | 'failBack' | 'retry' | 'session' | 'results'
type Plain = 'name' | 'username' | 'timeoutMs' | 'galera' | 'donor' | 'maxLagMs' | 'consistency'

/** Options that a URL cannot express or that override it. */
export interface UrlOverrides
  extends Partial<Pick<ResolvedOptions, Plain>>,
    Partial<{ readonly [Group in Groups]: Partial<ResolvedOptions[Group]> }> {
  readonly database?: string
  /** The password, or a function that returns it and is called before each connection. Default: empty. */
  readonly password?: string | (() => string | Promise<string>)
  /** TLS. Default: off, or as the URL says. True is `verify-full`. */
  readonly tls?: TlsInput
  /**
   * True, or the table in which commits leave a mark. Default: false, so that the outcome of a COMMIT whose answer was
   * lost stays unknown.
   */
  readonly commitLog?: boolean | Partial<CommitLogOptions>
  /** @deprecated The former name of `commitLog`; accepted with a warning until the next version. */
  readonly ledger?: boolean | Partial<CommitLogOptions>
  /** A HikariCP block of a Spring configuration. The other options take precedence over it. */
  readonly hikari?: HikariOptions
}

/** The options of `createMariadb`: either `url` or `hosts`, and any other option. */
export interface MariadbOptions extends UrlOverrides {
  /** A JDBC URL, such as `jdbc:mariadb:sequential://a:3306,b:3306/database?user=u&password=p`. */
  readonly url?: string
  /** All servers: `'a:3306,b'` or a list. */
  readonly hosts?: string | readonly HostInput[]
  /** How the hosts share the load. Default `sequential`, or the mode of the URL. */
  readonly mode?: Mode
}

const root = 'mariadb'

/** Checks and completes options or a URL. Throws one `config-invalid` with all problems and their places. */
export function resolveMariadbOptions(
  input: string | MariadbOptions,
  overrides: UrlOverrides = {},
): ResolvedOptions {
  return readGiven(root, () => resolveGiven(input, overrides))
}

function resolveGiven(input: string | MariadbOptions, overrides: UrlOverrides): ResolvedOptions {
  const given: Draft = typeof input === 'string' ? { ...overrides, url: input } : draftOfObject(input)
  const { url, hikari, ledger, ...current } = given
  const own = ledger === undefined ? current : withFormerCommitLog(current, ledger)
  const fromHikari = hikari === undefined ? none : readHikari(hikari, `${root}.hikari`)
  const fromUrl = readUrl(url, fromHikari.url, given)
  const draft = mergeOptions(mergeOptions(fromUrl.draft, fromHikari.draft), own)
  const { tls, ...checked } = resolveOptions(optionTable, draft, root)
  const { mode } = checked
  const kept = hikari === undefined ? defaultMinimumIdle : Number.POSITIVE_INFINITY
  return Object.freeze({
    ...checked,
    hosts: completeHosts(checked.hosts, { mode, tls, path: `${root}.hosts` }),
    pool: completePool(checked.pool, kept, `${root}.pool`),
    timeZoneGiven: isTimeZoneGiven(draft),
    warnings: Object.freeze([
      ...(ledger === undefined ? [] : [formerCommitLog]),
      ...fromUrl.warnings,
      ...fromHikari.warnings,
    ]),
  })
}

function isTimeZoneGiven({ session }: Draft): boolean {
  return (
    typeof session === 'object' && session !== null && 'timeZone' in session && session.timeZone !== undefined
  )
}

const none: TranslatedHikari = { url: undefined, draft: {}, warnings: [] }

// Two idle connections, so that a failover need not wait for a login. With a HikariCP block the default is the pool's
// size, as in HikariCP.
const defaultMinimumIdle = 2

const formerCommitLog = `${root}.ledger: the option is called commitLog now; this name is dropped in the next version`

function withFormerCommitLog(own: Draft, ledger: unknown): Draft {
  if (own['commitLog'] === undefined) return { ...own, commitLog: ledger }
  throw invalidOption(`${root}.ledger`, 'commitLog sets the same option: write only commitLog')
}

function draftOfObject(input: unknown): Draft {
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return { ...input }
  throw invalidOption(root, 'expected a JDBC URL or an object of options')
}

function readUrl(own: unknown, ofHikari: string | undefined, given: Draft): TranslatedOptions {
  if (own !== undefined && ofHikari !== undefined) {
    throw invalidOption(`${root}.hikari`, 'both url and jdbc-url are given: write only one of them')
  }
  const url = own ?? ofHikari
  if (url === undefined) return none
  if (typeof url !== 'string') throw invalidOption(`${root}.url`, `expected text, got ${typeName(url)}`)
  const twice = ['hosts', 'mode'].find((key) => given[key] !== undefined)
  if (twice !== undefined)
    throw invalidOption(`${root}.${twice}`, 'the URL already contains it: write only one of them')
  return isNodeUrl(url) ? readNodeUrl(url) : readJavaUrl(url)
}

/**
 * Completes the pool options whose defaults depend on others. `standby` is the default number of idle connections.
 */
function completePool(pool: CheckedPool, standby: number, path: string): PoolOptions {
  const { maximumSize, acquireTimeoutMs } = pool
  const minimumIdle = pool.minimumIdle ?? Math.min(standby, maximumSize)
  if (minimumIdle > maximumSize) {
    throw invalidOption(`${path}.minimumIdle`, `expected at most maximumSize, which is ${maximumSize}`)
  }
  if (pool.validationTimeoutMs !== undefined && pool.validationTimeoutMs >= acquireTimeoutMs) {
    throw invalidOption(
      `${path}.validationTimeoutMs`,
      `expected less than acquireTimeoutMs, which is ${acquireTimeoutMs} (Hikari's connection-timeout)`,
    )
  }
  return Object.freeze({ ...pool, minimumIdle, validationTimeoutMs: pool.validationTimeoutMs ?? 5_000 })
}
