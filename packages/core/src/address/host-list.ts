import { isIPv6 } from 'node:net'
import { HaError } from '../errors/ha-error.ts'
import { type Endpoint, formatEndpoint } from './endpoint.ts'

export interface HostListStyle {
  /** The port of a host without one. */
  readonly defaultPort: number
  /** The name of the text in errors, such as `addresses`. */
  readonly where: string
  /** The number of characters before `text` in the input of the user, which columns count. Default 0. */
  readonly offset?: number
}

/**
 * Reads `n1:5672, n2, [2001:db8::1]:5672`: hosts separated by commas, blanks allowed around them.
 * Throws `config-invalid` with the column for an empty item, an invalid host or port, or a repeated address. The error
 * for a URL repeats nothing of it: it may contain a password.
 */
export function parseHostList(text: string, style: HostListStyle): readonly Endpoint[] {
  refuseUrl(text, style.where)
  const endpoints: Endpoint[] = []
  const columns = new Map<string, number>()
  for (const item of splitWithColumns(text, style.offset ?? 0)) {
    const endpoint = parseItem(item, style)
    const name = formatEndpoint(endpoint)
    const earlier = columns.get(name)
    if (earlier !== undefined) {
      throw invalid(style, item.column, `${name} is repeated (first at column ${earlier})`)
    }
    columns.set(name, item.column)
    endpoints.push(endpoint)
  }
  return endpoints
}

/** Checks an endpoint that was given as a text or an object; `path` names it in errors. */
export function checkEndpoint(value: unknown, path: string, defaultPort: number): Endpoint {
  if (typeof value === 'string') {
    const [only, ...others] = parseHostList(value, { defaultPort, where: path })
    if (only !== undefined && others.length === 0) return only
    throw new HaError('config-invalid', `${path}: expected one address, got ${others.length + 1}`)
  }
  const { host, port } = (value ?? {}) as { host?: unknown; port?: unknown }
  if (typeof host !== 'string' || host === '') {
    throw new HaError('config-invalid', `${path}.host: expected a host name or an IP address`)
  }
  refuseUrl(host, `${path}.host`)
  const number = port ?? defaultPort
  if (typeof number !== 'number' || !isPort(number)) {
    throw new HaError('config-invalid', `${path}.port: expected a number from 1 to 65535`)
  }
  return checkedHost(host.replaceAll(/^\[|\]$/g, ''), number, (problem) => {
    throw new HaError('config-invalid', `${path}.host: ${problem}`)
  })
}

// Searched in the whole text: a password may contain commas.
function refuseUrl(text: string, where: string): void {
  if (!text.includes('://') && !text.includes('@')) return
  const problem = 'expected host:port, without scheme, user or password'
  throw new HaError('config-invalid', `${where}: ${problem}`)
}

interface Item {
  readonly text: string
  readonly column: number
}

function splitWithColumns(text: string, offset: number): readonly Item[] {
  const items: Item[] = []
  let start = 0
  for (const piece of text.split(',')) {
    const blanks = piece.length - piece.trimStart().length
    items.push({ text: piece.trim(), column: offset + start + blanks + 1 })
    start += piece.length + 1
  }
  return items
}

function parseItem(item: Item, style: HostListStyle): Endpoint {
  const fail = (problem: string): never => {
    throw invalid(style, item.column, problem)
  }
  if (item.text === '') fail('expected a host, found nothing')
  if (item.text.startsWith('[')) return parseBracketed(item.text, style, fail)
  const colons = item.text.split(':').length - 1
  if (colons > 1) {
    if (!isIPv6(item.text)) return fail('expected host:port, found more than one colon')
    return fail(`write an IPv6 address in brackets: [${item.text}]:${style.defaultPort}`)
  }
  const [host = '', port] = item.text.split(':')
  return checkedHost(host, port === undefined ? style.defaultPort : readPort(port, fail), fail)
}

function parseBracketed(text: string, style: HostListStyle, fail: (problem: string) => never): Endpoint {
  const match = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  const [, host = '', port] = match ?? fail(`expected [IPv6]:port, got '${text}'`)
  if (!isIPv6(host.split('%')[0] ?? '')) fail(`'${host}' is not an IPv6 address`)
  return { host: host.toLowerCase(), port: port === undefined ? style.defaultPort : readPort(port, fail) }
}

// Labels of letters, digits and hyphens. Underscores are not legal in host names but occur in hosts files.
const hostName =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\.?$/i

/** Whether this is a host name or an IP address; an IPv6 address without brackets. */
export function isHost(text: string): boolean {
  return hostName.test(text) || isIPv6(text)
}

function checkedHost(host: string, port: number, fail: (problem: string) => never): Endpoint {
  if (!isHost(host)) {
    return fail(
      host === '' ? 'expected a host before the port' : `'${host}' is not a host name or an IP address`,
    )
  }
  return { host: host.toLowerCase(), port }
}

function readPort(text: string, fail: (problem: string) => never): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  return isPort(port) ? port : fail(`port '${text}' is not a number from 1 to 65535`)
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535
}

function invalid(style: HostListStyle, column: number, problem: string): HaError {
  return new HaError('config-invalid', `${style.where}, column ${column}: ${problem}`)
}
