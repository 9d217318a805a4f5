import { type JdbcHost, type JdbcMode, lengthOfHosts, readJdbcHosts, readJdbcMode } from './jdbc-hosts.ts'
import { type Decode, jdbcUrlError, literal, percentDecoded, pieceAfter, type TextSpan } from './jdbc-text.ts'

/** The parts of a JDBC URL. Columns count from 1 in the input of the user. */
export interface JdbcUrl {
  readonly mode: JdbcMode
  /** In the order of the URL; at least one. */
  readonly hosts: readonly JdbcHost[]
  /** Percent-decoded; undefined when there is none. */
  readonly database: string | undefined
  /** In the order of the URL, each name once, without the {@link jdbcUrlSwitches}. */
  readonly parameters: readonly JdbcParameter[]
}

/** The parameters that control how the URL is read: `urlDecoding` (default true), `permitMysqlScheme` (default false). */
export const jdbcUrlSwitches: readonly string[] = ['urlDecoding', 'permitMysqlScheme']

/**
 * Reads `jdbc:mariadb:[mode:]//host[,host][/[database]][?name=value&...]`. Throws `config-invalid` with the column of
 * the first problem. The error says what was expected and repeats nothing of the text: in an invalid URL, a part of a
 * password may be anywhere.
 */
export function parseJdbcUrl(text: string): JdbcUrl {
  const { scheme, mode, hosts, database, query } = cut(text)
  const parameters = readJdbcParameters(query)
  if (scheme === 'jdbc:mysql:' && !isOn(parameters, 'permitMysqlScheme', false)) {
    throw jdbcUrlError(1, "expected 'jdbc:mariadb:'; for 'jdbc:mysql:' add permitMysqlScheme=true")
  }
  const decode = isOn(parameters, 'urlDecoding', true) ? percentDecoded : literal
  return {
    mode,
    hosts: readJdbcHosts(hosts, mode, decode),
    database: database.text === '' ? undefined : decode(database),
    parameters: parameters.filter(isOption).map((parameter) => decoded(parameter, decode)),
  }
}

interface Cut {
  readonly scheme: Scheme
  readonly mode: JdbcMode
  readonly hosts: TextSpan
  readonly database: TextSpan
  readonly query: TextSpan
}

function cut(text: string): Cut {
  const scheme = readScheme(text)
  const slashes = text.indexOf('//', scheme.length)
  const afterScheme = scheme.length + 1
  if (slashes < 0) throw jdbcUrlError(afterScheme, "expected '//' before the hosts")
  const mode = readJdbcMode({ text: text.slice(scheme.length, slashes), column: afterScheme })
  const start = slashes + 2
  const afterHosts = start + lengthOfHosts({ text: text.slice(start), column: start + 1 })
  const question = text.indexOf('?', afterHosts)
  const end = question < 0 ? text.length : question
  const hosts = { text: text.slice(start, afterHosts), column: start + 1 }
  const database = { text: text.slice(afterHosts + 1, end), column: afterHosts + 2 }
  refuseUserinfo({ ...hosts, text: withoutPairs(hosts.text) })
  refuseUserinfo(database)
  return { scheme, mode, hosts, database, query: { text: text.slice(end + 1), column: end + 2 } }
}

type Scheme = 'jdbc:mariadb:' | 'jdbc:mysql:'

function readScheme(text: string): Scheme {
  if (text.startsWith('jdbc:mariadb:')) return 'jdbc:mariadb:'
  if (text.startsWith('jdbc:mysql:')) return 'jdbc:mysql:'
  if (/^jdbc:mariadb:/i.test(text)) throw jdbcUrlError(1, "expected 'jdbc:mariadb:' in lower case")
  throw jdbcUrlError(1, "expected 'jdbc:mariadb:', as in jdbc:mariadb://host:3306/database")
}

// A '/' in the password moves its '@' into the database.
function refuseUserinfo({ text, column }: TextSpan): void {
  const at = text.indexOf('@')
  if (at < 0) return
  throw jdbcUrlError(column + at, "write user and password as ?user=...&password=...; any other '@' is %40")
}

// Blanks in place of each `(key=value)`: there an '@' belongs to the path of a socket.
function withoutPairs(hosts: string): string {
  return hosts.replaceAll(/\([^)]*\)/g, (pair) => ' '.repeat(pair.length))
}

function isOption({ name }: JdbcParameter): boolean {
  return !jdbcUrlSwitches.some((word) => sameName(word, name))
}

function decoded(parameter: JdbcParameter, decode: Decode): JdbcParameter {
  const { value, valueColumn } = parameter
  if (value === undefined) return parameter
  return { ...parameter, value: decode({ text: value, column: valueColumn }) }
}

function isOn(parameters: readonly JdbcParameter[], word: string, fallback: boolean): boolean {
  const parameter = parameters.find(({ name }) => sameName(word, name))
  return parameter === undefined ? fallback : readJdbcFlag(parameter)
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

/** One `name=value` of a JDBC URL. */
export interface JdbcParameter {
  /** As it is written. Names that differ only in case are the same. */
  readonly name: string
  /** Undefined for a bare name, which means true. */
  readonly value: string | undefined
  readonly column: number
  /** Where the value begins; for a bare name, where the name does. */
  readonly valueColumn: number
}

/** Reads `name=value&name&...`, not yet decoded. Throws for an empty item, an invalid name, or a repeated one. */
function readJdbcParameters(query: TextSpan): readonly JdbcParameter[] {
  if (query.text === '') return []
  const columns = new Map<string, number>()
  const parameters: JdbcParameter[] = []
  let start = 0
  for (const text of query.text.split('&')) {
    const parameter = readParameter({ text, column: query.column + start })
    const name = parameter.name.toLowerCase()
    const earlier = columns.get(name)
    if (earlier !== undefined) {
      throw jdbcUrlError(parameter.column, `this parameter is repeated (first at column ${earlier})`)
    }
    columns.set(name, parameter.column)
    parameters.push(parameter)
    start += text.length + 1
  }
  return parameters
}

/** Reads a flag: true for a bare name, `true` or `1`, false for `false` or `0`. */
export function readJdbcFlag(parameter: Pick<JdbcParameter, 'value' | 'valueColumn'>): boolean {
  const word = (parameter.value ?? 'true').toLowerCase()
  if (word === 'true' || word === '1') return true
  if (word === 'false' || word === '0') return false
  throw jdbcUrlError(parameter.valueColumn, 'expected true or false')
}

function readParameter(piece: TextSpan): JdbcParameter {
  const equals = piece.text.indexOf('=')
  const name = equals < 0 ? piece.text : piece.text.slice(0, equals)
  if (!/^[a-z][a-z0-9_.-]*$/i.test(name)) {
    throw jdbcUrlError(piece.column, "expected name=value; in a value, write '&' as %26 and '%' as %25")
  }
  if (equals < 0) return { name, value: undefined, column: piece.column, valueColumn: piece.column }
  const value = pieceAfter(piece, equals + 1)
  return { name, value: value.text, column: piece.column, valueColumn: value.column }
}
