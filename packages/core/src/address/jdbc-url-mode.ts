import { jdbcUrlError, type TextSpan } from './jdbc-url-piece.ts'
import { didYouMean } from './nearest.ts'

/** How the hosts of a JDBC URL share the work. */
export type JdbcMode = 'none' | 'sequential' | 'loadbalance' | 'load-balance-read' | 'replication' | 'aurora'

/** What a host is for: a primary takes writes, a replica takes reads. */
export type JdbcRole = 'primary' | 'replica'

const modes = new Map<string, JdbcMode>([
  ['sequential', 'sequential'],
  ['loadbalance', 'loadbalance'],
  ['load-balance', 'loadbalance'],
  ['failover', 'loadbalance'],
  ['load-balance-read', 'load-balance-read'],
  ['replication', 'replication'],
  ['aurora', 'aurora'],
])

/** Reads what stands between `jdbc:mariadb:` and `//`: nothing, or a mode in any case and its colon. */
export function readJdbcMode(piece: TextSpan): JdbcMode {
  if (piece.text === '') return 'none'
  if (!piece.text.endsWith(':')) throw jdbcUrlError(piece.column, "expected '//' before the hosts")
  const word = piece.text.slice(0, -1).toLowerCase()
  if (word === '') throw jdbcUrlError(piece.column, "expected a mode; without one, write 'jdbc:mariadb://'")
  const mode = modes.get(word)
  if (mode !== undefined) return mode
  const words = [...modes.keys()]
  throw jdbcUrlError(piece.column, `expected one of the modes ${words.join(', ')}${didYouMean(word, words)}`)
}

/** The role of a host that names none: all are primaries, but in `replication` only the first is. */
export function defaultRole(mode: JdbcMode, index: number): JdbcRole {
  return mode === 'replication' && index > 0 ? 'replica' : 'primary'
}

/** Whether these roles leave nobody to write to. The hosts of `aurora` say for themselves what they are. */
export function lacksPrimary(mode: JdbcMode, roles: readonly JdbcRole[]): boolean {
  return mode !== 'aurora' && !roles.includes('primary')
}
