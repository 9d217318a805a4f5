import type { Endpoint } from './endpoint.ts'
import { defaultPort, readJdbcHostName, readJdbcPort } from './jdbc-url-endpoint.ts'
import type { JdbcRole } from './jdbc-url-mode.ts'
import { type Decode, jdbcUrlError, pieceAfter, type TextSpan } from './jdbc-url-piece.ts'
import { didYouMean } from './nearest.ts'

/** Where a host of a JDBC URL is: at an address of the network, or at a path of this machine. */
export type JdbcTarget =
  | { readonly kind: 'tcp'; readonly endpoint: Endpoint }
  | { readonly kind: 'local-socket'; readonly path: string }

/** What one host says of itself. */
export interface JdbcAddress {
  readonly target: JdbcTarget
  /** Undefined where it is not written. */
  readonly role: JdbcRole | undefined
  /** As it is written, for whoever knows the words. */
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
export function readJdbcAddress(piece: TextSpan, decode: Decode): JdbcAddress {
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
    if (values.has(key)) throw jdbcUrlError(rest.column + 1, `${key} stands twice in this address`)
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
    throw jdbcUrlError(beside.column, 'host and port mean nothing beside localSocket')
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
