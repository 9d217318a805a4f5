import { isIPv6 } from 'node:net'
import { type Endpoint, formatEndpoint } from './endpoint.ts'
import { isHost } from './host-list.ts'
import { type Decode, jdbcUrlError, pieceAfter, type TextSpan } from './jdbc-text.ts'
import { didYouMean } from './nearest-word.ts'

/** One host of a JDBC URL. */
export interface JdbcHost extends JdbcAddress {
  /** The written role, or the default of the mode. */
  readonly role: JdbcRole
  readonly column: number
}

/** Reads `a,b:3307,[::1],address=(host=c)(type=replica)`. Throws for a host that is repeated in the same role. */
export function readJdbcHosts(piece: TextSpan, mode: JdbcMode, decode: Decode): readonly JdbcHost[] {
  const hosts: JdbcHost[] = []
  const columns = new Map<string, number>()
  for (const item of splitHostList(piece)) {
    const { column } = item
    const address = readHost(item, decode)
    const role = address.role ?? defaultRole(mode, hosts.length)
    const name = `${role} ${nameOf(address.target)}`
    const earlier = columns.get(name)
    if (earlier !== undefined) {
      throw jdbcUrlError(column, `this host is repeated (first at column ${earlier})`)
    }
    columns.set(name, column)
    hosts.push({ ...address, role, column })
  }
  const roles = hosts.map(({ role }) => role)
  if (lacksPrimary(mode, roles)) {
    throw jdbcUrlError(piece.column, 'expected a primary among the hosts: no host could take writes')
  }
  return hosts
}

/** The length of the list of hosts: up to the first `/` or `?` outside parentheses. */
export function lengthOfHosts({ text, column }: TextSpan): number {
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (character === '/' || character === '?') return i
    if (character !== '(') continue
    const close = text.indexOf(')', i)
    if (close < 0) throw jdbcUrlError(column + i, "expected ')' after this '('")
    i = close
  }
  return text.length
}

// A comma in parentheses belongs to the path of a socket.
function splitHostList(piece: TextSpan): readonly TextSpan[] {
  const items: TextSpan[] = []
  let rest = piece
  for (;;) {
    const length = lengthOfHost(rest.text)
    items.push({ text: rest.text.slice(0, length), column: rest.column })
    if (length === rest.text.length) return items
    rest = pieceAfter(rest, length + 1)
  }
}

function lengthOfHost(text: string): number {
  for (let i = 0; i < text.length; i++) {
    if (text[i] === ',') return i
    if (text[i] === '(') i = text.indexOf(')', i)
  }
  return text.length
}

const marker = 'address='

function readHost(item: TextSpan, decode: Decode): JdbcAddress {
  if (item.text.slice(0, marker.length).toLowerCase() === marker) {
    return readJdbcAddress(pieceAfter(item, marker.length), decode)
  }
  if (item.text.includes('(')) throw jdbcUrlError(item.column, "expected 'address=' before '('")
  return { target: { kind: 'tcp', endpoint: readJdbcEndpoint(item) }, role: undefined, sslMode: undefined }
}

function nameOf(target: JdbcTarget): string {
  return target.kind === 'tcp' ? formatEndpoint(target.endpoint) : target.path
}

/** The target of a host in a JDBC URL: a network address, or a path on this machine. */
export type JdbcTarget =
  | { readonly kind: 'tcp'; readonly endpoint: Endpoint }
  | { readonly kind: 'local-socket'; readonly path: string }

/** One host as it is written. */
export interface JdbcAddress {
  readonly target: JdbcTarget
  /** Undefined when it is not given. */
  readonly role: JdbcRole | undefined
  /** As it is written; the words are those of the driver. */
  readonly sslMode: TextSpan | undefined
}

const keys = ['host', 'port', 'type', 'sslMode', 'localSocket'] as const
type Key = (typeof keys)[number]

const roles = new Map<string, JdbcRole>([
  ['primary', 'primary'],
  ['master', 'primary'],
  ['replica', 'replica'],
  ['slave', 'replica'],
])

/** Reads the `(host=a)(port=3307)(type=replica)` of an `address=`. */
function readJdbcAddress(piece: TextSpan, decode: Decode): JdbcAddress {
  const values = readPairs(piece, decode)
  return {
    target: readTarget(values, piece.column),
    role: readRole(values.get('type')),
    sslMode: values.get('sslMode'),
  }
}

function readPairs(piece: TextSpan, decode: Decode): ReadonlyMap<Key, TextSpan> {
  const values = new Map<Key, TextSpan>()
  let rest = piece
  do {
    const end = rest.text.indexOf(')')
    if (!rest.text.startsWith('(') || end < 0) throw jdbcUrlError(rest.column, "expected '(key=value)'")
    const { key, value } = readPair({ text: rest.text.slice(1, end), column: rest.column + 1 })
    if (values.has(key)) throw jdbcUrlError(rest.column + 1, `${key} is repeated in this address`)
    values.set(key, { text: decode(value), column: value.column })
    rest = pieceAfter(rest, end + 1)
  } while (rest.text !== '')
  return values
}

function readPair(piece: TextSpan): { readonly key: Key; readonly value: TextSpan } {
  const equals = piece.text.indexOf('=')
  const word = (equals < 0 ? piece.text : piece.text.slice(0, equals)).toLowerCase()
  const key = keys.find((candidate) => candidate.toLowerCase() === word)
  if (key === undefined) {
    throw jdbcUrlError(piece.column, `expected one of the keys ${keys.join(', ')}${didYouMean(word, keys)}`)
  }
  if (equals < 0) throw jdbcUrlError(piece.column, `expected ${key}=value`)
  return { key, value: pieceAfter(piece, equals + 1) }
}

function readTarget(values: ReadonlyMap<Key, TextSpan>, column: number): JdbcTarget {
  const host = values.get('host')
  const port = values.get('port')
  const path = values.get('localSocket')
  if (path === undefined) {
    if (host === undefined) throw jdbcUrlError(column, 'expected host or localSocket in this address')
    return {
      kind: 'tcp',
      endpoint: {
        host: readJdbcHostName(host),
        port: port === undefined ? defaultPort : readJdbcPort(port),
      },
    }
  }
  const beside = host ?? port
  if (beside !== undefined) {
    throw jdbcUrlError(beside.column, 'host and port have no meaning beside localSocket')
  }
  if (!path.text.startsWith('/')) throw jdbcUrlError(path.column, "expected a path that begins with '/'")
  return { kind: 'local-socket', path: path.text }
}

function readRole(type: TextSpan | undefined): JdbcRole | undefined {
  if (type === undefined) return undefined
  const word = type.text.toLowerCase()
  const role = roles.get(word)
  if (role !== undefined) return role
  const words = [...roles.keys()]
  throw jdbcUrlError(type.column, `expected one of the types ${words.join(', ')}${didYouMean(word, words)}`)
}

/** The default port of MariaDB. */
const defaultPort = 3306

/** Reads `name`, `name:port`, `[IPv6]` or `[IPv6]:port`. */
function readJdbcEndpoint(piece: TextSpan): Endpoint {
  if (piece.text.startsWith('[')) return readBracketed(piece)
  const [host = '', port, more] = piece.text.split(':')
  if (more !== undefined) throw tooManyColons(piece)
  return {
    host: readJdbcHostName({ text: host, column: piece.column }),
    port: port === undefined ? defaultPort : readJdbcPort(pieceAfter(piece, host.length + 1)),
  }
}

/** A host name or an IP address, in lower case; an IPv6 address with or without brackets. */
function readJdbcHostName({ text, column }: TextSpan): string {
  const host = /^\[.*\]$/.test(text) ? text.slice(1, -1) : text
  if (text === '') throw jdbcUrlError(column, 'expected a host, found nothing')
  const fits = host === text ? isHost(host) : isIPv6(host)
  if (!fits) throw jdbcUrlError(column, 'expected a host name or an IP address')
  return host.toLowerCase()
}

/** A decimal number from 1 to 65535. */
function readJdbcPort({ text, column }: TextSpan): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535) throw jdbcUrlError(column, 'expected a port from 1 to 65535')
  return port
}

function readBracketed(piece: TextSpan): Endpoint {
  const end = piece.text.indexOf(']') + 1
  if (end === 0) throw jdbcUrlError(piece.column, "expected ']' after the IPv6 address")
  const host = readJdbcHostName({ text: piece.text.slice(0, end), column: piece.column })
  const rest = pieceAfter(piece, end)
  if (rest.text === '') return { host, port: defaultPort }
  if (!rest.text.startsWith(':')) throw jdbcUrlError(rest.column, "expected ':' and a port after ']'")
  return { host, port: readJdbcPort(pieceAfter(rest, 1)) }
}

function tooManyColons(piece: TextSpan): Error {
  if (isIPv6(piece.text)) return jdbcUrlError(piece.column, "write an IPv6 address in brackets: '[...]'")
  const second = piece.text.indexOf(':', piece.text.indexOf(':') + 1)
  return jdbcUrlError(piece.column + second, "expected the end of the host, found another ':'")
}

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

/** Reads the part between `jdbc:mariadb:` and `//`: nothing, or a mode in any case and its colon. */
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

/** The default role of a host: primary, but in `replication` only for the first one. */
export function defaultRole(mode: JdbcMode, index: number): JdbcRole {
  return mode === 'replication' && index > 0 ? 'replica' : 'primary'
}

/** Whether none of these roles is a primary. The hosts of `aurora` report their roles themselves. */
export function lacksPrimary(mode: JdbcMode, roles: readonly JdbcRole[]): boolean {
  return mode !== 'aurora' && !roles.includes('primary')
}
