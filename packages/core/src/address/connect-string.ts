import { HaError } from '../errors/ha-error.ts'
import { type Endpoint, formatEndpoint } from './endpoint.ts'
import { parseHostList } from './host-list.ts'

/** The default port of ZooKeeper. */
const defaultPort = 2181

/** The content of a ZooKeeper connect string. */
export interface ConnectString {
  /** Each endpoint once, in the order of the text. */
  readonly endpoints: readonly Endpoint[]
  /** The node below which all paths begin, such as `/app/x`; empty for the root. */
  readonly chroot: string
}

/**
 * Reads `zk1:2181, [::1]:2181,zk3/app/x`: hosts separated by commas, blanks allowed around them, repeated hosts merged,
 * and the chroot once at the end. Throws `config-invalid` with the column. The error for a text that may contain a
 * password repeats nothing of it. `where` names the text in errors; default `connect`.
 */
export function parseConnectString(text: string, where = 'connect'): ConnectString {
  refuseLogin(text, where)
  const slash = text.indexOf('/')
  const end = slash < 0 ? text.length : slash
  return { endpoints: readHosts(text.slice(0, end), where), chroot: readChroot(text, end, where) }
}

// Searched in the whole text: a password may contain commas and slashes.
function refuseLogin(text: string, where: string): void {
  if (!text.includes('://') && !text.includes('@')) return
  const problem =
    'expected host:port,host:port/chroot, without scheme, user or password; credentials belong in `auth`'
  throw new HaError('config-invalid', `${where}: ${problem}`)
}

function readHosts(text: string, where: string): readonly Endpoint[] {
  const endpoints = new Map<string, Endpoint>()
  let offset = 0
  for (const item of text.split(',')) {
    refuseSeparator(item, offset, where)
    for (const endpoint of parseHostList(item, { defaultPort, where, offset })) {
      const name = formatEndpoint(endpoint)
      if (!endpoints.has(name)) endpoints.set(name, endpoint)
    }
    offset += item.length + 1
  }
  return [...endpoints.values()]
}

// Blanks inside a host, and the separators of other formats.
const wrongSeparator = /(?<=\S)(?:\s*[;|]\s*|\s+)(?=\S)/

function refuseSeparator(item: string, offset: number, where: string): void {
  const found = wrongSeparator.exec(item)
  if (found === null) return
  throw invalid(where, offset + found.index + 1, `expected ',' between two hosts, found '${found[0]}'`)
}

function readChroot(text: string, slash: number, where: string): string {
  // Trailing blanks and one trailing slash are ignored.
  const chroot = text.slice(slash).trimEnd().replace(/\/$/, '')
  if (chroot === '') return ''
  const comma = chroot.indexOf(',')
  if (comma >= 0) {
    const problem = "expected the end of the chroot, found ','; write it once, after the last host"
    throw invalid(where, slash + comma + 1, problem)
  }
  let column = slash + 2
  for (const name of chroot.slice(1).split('/')) {
    const problem = problemOf(name)
    if (problem !== undefined) throw invalid(where, column, problem)
    column += name.length + 1
  }
  return chroot
}

function problemOf(name: string): string | undefined {
  if (name === '') return "expected a name of a node, found another '/'"
  if (name === '.' || name === '..') return `expected a name of a node, found '${name}': paths are absolute`
  const isForbidden = name.split('').some((unit) => isWithin(forbidden, unit.charCodeAt(0)))
  return isForbidden ? 'expected a name of a node, found a character that no path may contain' : undefined
}

// UTF-16 ranges that servers refuse: control characters, surrogates, private use, specials.
const forbidden: readonly (readonly [number, number])[] = [
  [0x0000, 0x001f],
  [0x007f, 0x009f],
  [0xd800, 0xf8ff],
  [0xfff0, 0xffff],
]

function isWithin(ranges: readonly (readonly [number, number])[], unit: number): boolean {
  return ranges.some(([first, last]) => unit >= first && unit <= last)
}

function invalid(where: string, column: number, problem: string): HaError {
  return new HaError('config-invalid', `${where}, column ${column}: ${problem}`)
}
