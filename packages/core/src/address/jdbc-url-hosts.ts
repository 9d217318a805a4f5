import { formatEndpoint } from './endpoint.ts'
import { type JdbcAddress, type JdbcTarget, readJdbcAddress } from './jdbc-url-address.ts'
import { readJdbcEndpoint } from './jdbc-url-endpoint.ts'
import { defaultRole, type JdbcMode, type JdbcRole, lacksPrimary } from './jdbc-url-mode.ts'
import { type Decode, jdbcUrlError, pieceAfter, type TextSpan } from './jdbc-url-piece.ts'

/** One host of a JDBC URL. */
export interface JdbcHost extends JdbcAddress {
  /** As it is written, or what the mode makes of it. */
  readonly role: JdbcRole
  readonly column: number
}

/** Reads `a,b:3307,[::1],address=(host=c)(type=replica)`. Throws for a host that stands twice in the same role. */
export function readJdbcHosts(piece: TextSpan, mode: JdbcMode, decode: Decode): readonly JdbcHost[] {
  const hosts: JdbcHost[] = []
  const columns = new Map<string, number>()
  for (const item of splitHosts(piece)) {
    const { column } = item
    const address = readHost(item, decode)
    const role = address.role ?? defaultRole(mode, hosts.length)
    const name = `${role} ${nameOf(address.target)}`
    const earlier = columns.get(name)
    if (earlier !== undefined) {
      throw jdbcUrlError(column, `this host stands twice (first at column ${earlier})`)
    }
    columns.set(name, column)
    hosts.push({ ...address, role, column })
  }
  const roles = hosts.map(({ role }) => role)
  if (lacksPrimary(mode, roles)) {
    throw jdbcUrlError(piece.column, 'expected a primary among the hosts: nobody could take a write')
  }
  return hosts
}

/** How many characters the hosts take: up to the first `/` or `?` outside parentheses. */
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

// A comma in parentheses belongs to a path.
function splitHosts(piece: TextSpan): readonly TextSpan[] {
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
