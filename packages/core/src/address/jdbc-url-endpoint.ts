import { isIPv6 } from 'node:net'
import type { Endpoint } from './endpoint.ts'
import { isHost } from './host-list.ts'
import { jdbcUrlError, pieceAfter, type TextSpan } from './jdbc-url-piece.ts'

/** The port of a host that names none. */
export const defaultPort = 3306

/** Reads `name`, `name:port`, `[IPv6]` or `[IPv6]:port`. */
export function readJdbcEndpoint(piece: TextSpan): Endpoint {
  if (piece.text.startsWith('[')) return readBracketed(piece)
  const [host = '', port, more] = piece.text.split(':')
  if (more !== undefined) throw tooManyColons(piece)
  return {
    host: readJdbcHostName({ text: host, column: piece.column }),
    port: port === undefined ? defaultPort : readJdbcPort(pieceAfter(piece, host.length + 1)),
  }
}

/** A host name or an IP address, in lower case; an IPv6 address with or without brackets. */
export function readJdbcHostName({ text, column }: TextSpan): string {
  const host = /^\[.*\]$/.test(text) ? text.slice(1, -1) : text
  if (text === '') throw jdbcUrlError(column, 'expected a host, found nothing')
  const fits = host === text ? isHost(host) : isIPv6(host)
  if (!fits) throw jdbcUrlError(column, 'expected a host name or an IP address')
  return host.toLowerCase()
}

/** A decimal number from 1 to 65535. */
export function readJdbcPort({ text, column }: TextSpan): number {
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
