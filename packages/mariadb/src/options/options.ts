import { resolveOptions } from '@ha/core/driver'
import { completePool } from './complete-pool.ts'
import type { HikariOptions } from './hikari/hikari-options.ts'
import { readHikari, type TranslatedHikari } from './hikari/read-hikari.ts'
import { completeHosts, type HostInput } from './hosts.ts'
import { readJavaUrl } from './java/read-java-url.ts'
import { optionTable } from './option-table.ts'
import { type Draft, overlay } from './overlay.ts'
import type { LedgerOptions, Mode, ResolvedOptions } from './resolved.ts'
import { misspelt } from './spelling.ts'
import type { TlsInput } from './tls.ts'
import type { Translated } from './translated.ts'

type Groups = 'pool' | 'monitor' | 'failBack' | 'retry' | 'session' | 'results'
type Plain = 'name' | 'username' | 'timeoutMs' | 'galera' | 'donor' | 'maxLagMs' | 'consistency'

/** What a URL has no words for, or says in Java's; where both say something, this counts. */
export interface BesideUrl
  extends Partial<Pick<ResolvedOptions, Plain>>,
    Partial<{ readonly [Group in Groups]: Partial<ResolvedOptions[Group]> }> {
  readonly database?: string
  /** Text, or a function that is asked before each connection. Default: empty. */
  readonly password?: string | (() => string | Promise<string>)
  /** Default: off, or what the URL says. True is `verify-full`. */
  readonly tls?: TlsInput
  /** True, or where marks of commits are kept. Default: false, so that a commit without an answer stays unknown. */
  readonly ledger?: boolean | Partial<LedgerOptions>
  /** A block of HikariCP as Spring has it. What stands beside it counts before it. */
  readonly hikari?: HikariOptions
}

/** What `createMariadb` takes: either `url` or `hosts`, and whatever else is not left to its default. */
export interface MariadbOptions extends BesideUrl {
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
  beside: BesideUrl = {},
): ResolvedOptions {
  const given: Draft = typeof input === 'string' ? { ...beside, url: input } : draftOfObject(input)
  const { url, hikari, ...own } = given
  const fromHikari = hikari === undefined ? none : readHikari(hikari, `${root}.hikari`)
  const fromUrl = readUrl(url, fromHikari.url, given)
  const draft = overlay(overlay(fromUrl.draft, fromHikari.draft), own)
  const { tls, ...checked } = resolveOptions(optionTable, draft, root)
  const { mode } = checked
  const kept = hikari === undefined ? standby : Number.POSITIVE_INFINITY
  return Object.freeze({
    ...checked,
    hosts: completeHosts(checked.hosts, { mode, tls, path: `${root}.hosts` }),
    pool: completePool(checked.pool, kept, `${root}.pool`),
    warnings: Object.freeze([...fromUrl.warnings, ...fromHikari.warnings]),
  })
}

const none: TranslatedHikari = { url: undefined, draft: {}, warnings: [] }

// Enough that a failover does not begin with a login. Hikari keeps as many as the pool may hold.
const standby = 2

function draftOfObject(input: unknown): Draft {
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return { ...input }
  throw misspelt(root, 'expected a JDBC URL or an object of options')
}

function readUrl(own: unknown, ofHikari: string | undefined, given: Draft): Translated {
  if (own !== undefined && ofHikari !== undefined) {
    throw misspelt(`${root}.hikari`, 'there is a URL beside its jdbc-url: give one of them')
  }
  const url = own ?? ofHikari
  if (url === undefined) return none
  if (typeof url !== 'string') throw misspelt(`${root}.url`, `expected text, got a ${typeof url}`)
  const twice = ['hosts', 'mode'].find((key) => given[key] !== undefined)
  if (twice !== undefined) throw misspelt(`${root}.${twice}`, 'the URL says it already: give one of them')
  return readJavaUrl(url)
}
