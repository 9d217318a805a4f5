import { invalidOption, resolveOptions } from '@ha/core/driver'
import { type Draft, overlay, type TranslatedOptions } from './foreign-options.ts'
import { type HikariOptions, readHikari, type TranslatedHikari } from './hikari.ts'
import { completeHosts, type HostInput } from './hosts.ts'
import { readJavaUrl } from './java-url.ts'
import { type CheckedPool, optionTable } from './option-table.ts'
import type { CommitLogOptions, Mode, PoolOptions, ResolvedOptions } from './resolved-options.ts'
import type { TlsInput } from './tls.ts'

type Groups = 'pool' | 'monitor' | 'failBack' | 'retry' | 'session' | 'results'
type Plain = 'name' | 'username' | 'timeoutMs' | 'galera' | 'donor' | 'maxLagMs' | 'consistency'

/** What a URL has no words for, or says in Java's; where both say something, this counts. */
export interface UrlOverrides
  extends Partial<Pick<ResolvedOptions, Plain>>,
    Partial<{ readonly [Group in Groups]: Partial<ResolvedOptions[Group]> }> {
  readonly database?: string
  /** Text, or a function that is asked before each connection. Default: empty. */
  readonly password?: string | (() => string | Promise<string>)
  /** Default: off, or what the URL says. True is `verify-full`. */
  readonly tls?: TlsInput
  /**
   * True, or the table in which commits leave a mark. Default: false, so that the outcome of a COMMIT whose answer was
   * lost stays unknown.
   */
  readonly commitLog?: boolean | Partial<CommitLogOptions>
  /** @deprecated The former name of `commitLog`; accepted with a warning until the next version. */
  readonly ledger?: boolean | Partial<CommitLogOptions>
  /** A block of HikariCP as Spring has it. What stands beside it counts before it. */
  readonly hikari?: HikariOptions
}

/** What `createMariadb` takes: either `url` or `hosts`, and whatever else is not left to its default. */
export interface MariadbOptions extends UrlOverrides {
  /** `jdbc:mariadb:sequential://a:3306,b:3306/database?user=u&password=p`, as Java writes it. */
  readonly url?: string
  /** All servers: `'a:3306,b'` or a list. */
  readonly hosts?: string | readonly HostInput[]
  /** Default `sequential`; a URL names its own. */
  readonly mode?: Mode
}

const root = 'mariadb'

/** Options or URL, checked and completed. Throws one `config-invalid` that says what is wrong and where. */
export function resolveMariadbOptions(
  input: string | MariadbOptions,
  beside: UrlOverrides = {},
): ResolvedOptions {
  const given: Draft = typeof input === 'string' ? { ...beside, url: input } : draftOfObject(input)
  const { url, hikari, ledger, ...current } = given
  const own = ledger === undefined ? current : withFormerCommitLog(current, ledger)
  const fromHikari = hikari === undefined ? none : readHikari(hikari, `${root}.hikari`)
  const fromUrl = readUrl(url, fromHikari.url, given)
  const draft = overlay(overlay(fromUrl.draft, fromHikari.draft), own)
  const { tls, ...checked } = resolveOptions(optionTable, draft, root)
  const { mode } = checked
  const kept = hikari === undefined ? defaultMinimumIdle : Number.POSITIVE_INFINITY
  return Object.freeze({
    ...checked,
    hosts: completeHosts(checked.hosts, { mode, tls, path: `${root}.hosts` }),
    pool: completePool(checked.pool, kept, `${root}.pool`),
    warnings: Object.freeze([
      ...(ledger === undefined ? [] : [formerCommitLog]),
      ...fromUrl.warnings,
      ...fromHikari.warnings,
    ]),
  })
}

const none: TranslatedHikari = { url: undefined, draft: {}, warnings: [] }

// Enough that a failover does not begin with a login. Hikari keeps as many as the pool may hold.
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
    throw invalidOption(`${root}.hikari`, 'there is a URL beside its jdbc-url: give one of them')
  }
  const url = own ?? ofHikari
  if (url === undefined) return none
  if (typeof url !== 'string') throw invalidOption(`${root}.url`, `expected text, got a ${typeof url}`)
  const twice = ['hosts', 'mode'].find((key) => given[key] !== undefined)
  if (twice !== undefined)
    throw invalidOption(`${root}.${twice}`, 'the URL says it already: give one of them')
  return readJavaUrl(url)
}

/** The two numbers of a pool that depend on its others. `standby` is how many idle connections are kept by default. */
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
