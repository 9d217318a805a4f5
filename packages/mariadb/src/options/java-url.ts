import {
  asError,
  didYouMean,
  invalidOption,
  type JdbcHost,
  type JdbcParameter,
  jdbcUrlSwitches,
  Problems,
  parseJdbcUrl,
} from '@ha/core/driver'
import { type ForeignOption, mergeOptions, type TranslatedOptions, translate } from './foreign-options.ts'
import type { HostInput } from './hosts.ts'
import {
  ignoredOptions,
  type JavaTlsSettings,
  mappedOptions,
  rejectedOptions,
  type TlsOption,
  tlsOf,
  tlsOptions,
} from './java-options.ts'
import { javaSslMode } from './tls.ts'
import { oneOfWords } from './value-readers.ts'

/** Reads a JDBC URL like Connector/J. Throws one `config-invalid` with all problems and their columns. */
export function readJavaUrl(text: string): TranslatedOptions {
  const { mode, hosts, database, parameters } = parseJdbcUrl(text)
  const problems = new Problems()
  const inputs = hosts.flatMap((host) => attempt(() => hostInput(host), problems))
  const { draft, warnings } = readJavaParameters(parameters, problems)
  problems.throwIfAny()
  return { draft: mergeOptions({ mode, hosts: inputs, database }, draft), warnings }
}

/** Whether a URL has the form of Node's clients: `mysql://user:password@host:3306/database?name=value`. */
export function isNodeUrl(text: string): boolean {
  return /^(?:mysql|mariadb):\/\//i.test(text)
}

/**
 * Reads the URL of Node's clients. Several hosts are separated by commas; parameters are those of Connector/J, or the
 * names that `mariadb`, `mysql2`, Knex and Sequelize have for them. Errors name no column and repeat nothing.
 */
export function readNodeUrl(text: string): TranslatedOptions {
  const [, user, hosts = '', database = '', query = ''] = nodeUrl.exec(text) ?? []
  const [username, ...password] = user?.split(':') ?? []
  const parameters = query.split('&').map(javaParameter).join('&')
  try {
    const { draft, warnings } = readJavaUrl(
      `jdbc:mariadb://${hosts}/${database}${query === '' ? '' : `?${parameters}`}`,
    )
    const own = {
      username: username === undefined || username === '' ? undefined : decodeURIComponent(username),
      password: password.length === 0 ? undefined : decodeURIComponent(password.join(':')),
    }
    return { draft: mergeOptions(draft, own), warnings: warnings.map(withoutColumn) }
  } catch (error) {
    const { message } = asError(error)
    const isUserinfo = error instanceof URIError || message.includes('write user and password as')
    const problem = isUserinfo
      ? "expected '/', '@' and '%' in user and password as %2F, %40 and %25"
      : withoutColumn(message).replace(/^url(?:, |: )/, '')
    throw invalidOption('url', problem, error)
  }
}

const nodeUrl = /^\w+:\/\/(?:([^/?#]*)@)?([^/?#@]*)\/?([^?#]*)(?:\?([^#]*))?/

function withoutColumn(text: string): string {
  return text.replaceAll(/url, column \d+/g, 'url')
}

// Names of Node's clients for what Connector/J calls otherwise; both have the same unit.
const nodeNames: ReadonlyMap<string, string> = new Map([
  ['connectionlimit', 'maxPoolSize'],
  ['minimumidle', 'minPoolSize'],
  ['ssl', 'useSsl'],
  ['multiplestatements', 'allowMultiQueries'],
  ['charset', 'characterEncoding'],
  ['keepalivedelay', 'tcpKeepIdle'],
  ['enablekeepalive', 'tcpKeepAlive'],
  ['compress', 'useCompression'],
  ['maxallowedpacket', 'maxAllowedPacket'],
  ['permitlocalinfile', 'allowLocalInfile'],
  ['collation', 'connectionCollation'],
])

function javaParameter(parameter: string): string {
  const [name = '', ...value] = parameter.split('=')
  return [nodeNames.get(name.toLowerCase()) ?? name, ...value].join('=')
}

function hostInput({ target, role, sslMode }: JdbcHost): HostInput {
  const tls =
    sslMode === undefined ? undefined : { mode: javaSslMode(sslMode.text, `url, column ${sslMode.column}`) }
  const place = target.kind === 'tcp' ? target.endpoint : { socketPath: target.path }
  return { ...place, role, ...(tls !== undefined && { tls }) }
}

function attempt<T>(read: () => T, problems: Problems): readonly T[] {
  try {
    return [read()]
  } catch (error) {
    problems.addError(error)
    return []
  }
}

/** All options of Connector/J and their translation. */
export const javaOptions: Readonly<Record<string, ForeignOption | TlsOption>> = {
  ...mappedOptions,
  ...tlsOptions,
  ...ignoredOptions,
  ...rejectedOptions,
}

const strictness = 'unknownOptions'
const names: readonly string[] = [
  ...Object.keys(javaOptions),
  'connectionLimit',
  'multipleStatements',
  'charset',
  strictness,
  ...jdbcUrlSwitches,
]
// Names of Connector/J are case-insensitive.
const byLowerCase = new Map(Object.keys(javaOptions).map((name) => [name.toLowerCase(), name]))

/** Reads the parameters of a JDBC URL. Problems are added to `problems` with the column of the parameter. */
function readJavaParameters(parameters: readonly JdbcParameter[], problems: Problems): TranslatedOptions {
  let sofar: ParameterState = { draft: {}, warnings: [], words: {}, origins: new Map() }
  const onUnknown = readStrictness(parameters, problems)
  for (const parameter of parameters) {
    if (isStrictness(parameter)) continue
    try {
      sofar = addParameter(sofar, parameter, onUnknown)
    } catch (error) {
      problems.addError(error)
    }
  }
  const tls = tlsOf(sofar.words)
  return {
    draft: mergeOptions(sofar.draft, { tls }),
    warnings: tls?.mode === 'off' ? [...sofar.warnings, ...unusedCertificate(sofar)] : sofar.warnings,
  }
}

// Connector/J ignores this silently; the caller would assume that the certificate is verified.
function unusedCertificate({ origins }: ParameterState): readonly string[] {
  const certificate = origins.get('ca')
  return certificate === undefined ? [] : [`${certificate.place}: ignored: TLS is off without sslMode`]
}

interface ParameterState extends TranslatedOptions {
  readonly words: JavaTlsSettings
  /** The parameter that set each option. */
  readonly origins: ReadonlyMap<string, ParameterOrigin>
}

interface ParameterOrigin {
  readonly name: string
  readonly place: string
}

type OnUnknown = 'reject' | 'warn' | 'ignore'

function addParameter(sofar: ParameterState, parameter: JdbcParameter, onUnknown: OnUnknown): ParameterState {
  const name = byLowerCase.get(parameter.name.toLowerCase())
  const option = name === undefined ? undefined : javaOptions[name]
  if (name === undefined || option === undefined) return withUnknown(sofar, parameter, onUnknown)
  const place = `url, column ${parameter.column}, ${name}`
  const value = parameter.value ?? true
  if (option.kind === 'tls') return withTls(sofar, option, { value, place, name })
  const { draft = {}, warning } = translate(option, value, place)
  const origins = option.kind === 'mapped' ? claim(sofar.origins, option.to, { name, place }) : sofar.origins
  return {
    ...sofar,
    origins,
    draft: mergeOptions(sofar.draft, draft),
    warnings: warning === undefined ? sofar.warnings : [...sofar.warnings, warning],
  }
}

function withTls(
  sofar: ParameterState,
  option: TlsOption,
  { value, place, name }: ParameterOrigin & { readonly value: unknown },
): ParameterState {
  const origins = claim(sofar.origins, option.setting, { name, place })
  return { ...sofar, origins, words: { ...sofar.words, [option.setting]: option.read(value, place) } }
}

// Two names for one option must not be combined, except for session variables, which add up.
function claim(
  origins: ParameterState['origins'],
  to: string,
  named: ParameterOrigin,
): ParameterState['origins'] {
  const earlier = origins.get(to)
  if (earlier !== undefined && to !== 'session.variables') {
    throw invalidOption(named.place, `${earlier.name} sets the same option: write only one of them`)
  }
  return new Map(origins).set(to, named)
}

// The message omits the name: after an unencoded '&' it could be a part of a password.
function withUnknown(
  sofar: ParameterState,
  { name, column }: JdbcParameter,
  onUnknown: OnUnknown,
): ParameterState {
  const problem = `there is no such option${didYouMean(name, names)}`
  const place = `url, column ${column}`
  if (onUnknown === 'reject') throw invalidOption(place, problem)
  return onUnknown === 'ignore'
    ? sofar
    : { ...sofar, warnings: [...sofar.warnings, `${place}: ignored: ${problem}`] }
}

const readOnUnknown = oneOfWords<OnUnknown>(
  new Map([
    ['reject', 'reject'],
    ['warn', 'warn'],
    ['ignore', 'ignore'],
  ]),
)

function readStrictness(parameters: readonly JdbcParameter[], problems: Problems): OnUnknown {
  const parameter = parameters.find(isStrictness)
  if (parameter === undefined) return 'reject'
  try {
    return readOnUnknown(parameter.value, `url, column ${parameter.column}, ${strictness}`)
  } catch (error) {
    problems.addError(error)
    return 'reject'
  }
}

function isStrictness({ name }: JdbcParameter): boolean {
  return name.toLowerCase() === strictness.toLowerCase()
}
