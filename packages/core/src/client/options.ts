import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { Endpoint } from '../address/endpoint.ts'
import { checkEndpoint, parseHostList } from '../address/host-list.ts'
import { didYouMean } from '../address/nearest-word.ts'
import type { EndpointSource } from '../cluster/endpoint-registry.ts'
import { asError, HaError, isHaError } from '../errors/ha-error.ts'
import { type OptionSource, quotingNothing } from '../option-calls.ts'
import type { FullJitter } from '../policy/backoff.ts'
import { type PoolStrategy, strategyAliases } from '../policy/select.ts'
import { maxTimerMs } from '../util/clock.ts'

/**
 * Reads one option: returns the value, or adds a problem and returns a placeholder. `undefined` means *not given*; `null`
 * is refused.
 */
export interface OptionReader<T> {
  read(value: unknown, path: string, problems: Problems): T
}

/** All problems of the options, collected so that the user sees all of them at once. */
export class Problems {
  readonly #found: string[] = []

  /** Adds an error that names its own path. */
  addError(error: unknown): void {
    this.#found.push(error instanceof Error ? error.message : String(error))
  }

  /** Adds a problem at `path`. Must not contain a value that may be a secret. */
  add(path: string, problem: string): void {
    this.#found.push(`${path}: ${problem}`)
  }

  /** Throws `config-invalid` when there are problems. */
  throwIfAny(): void {
    if (this.#found.length > 0) throw new HaError('config-invalid', this.#found.join('\n'))
  }
}

/** A table of readers, one for each key. */
export type OptionTable<T> = { readonly [K in keyof T]-?: OptionReader<T[K]> }

/**
 * Reads options with their table: checks every key, fills in defaults, and freezes the result. Throws one
 * `config-invalid` that names every problem with its path and the nearest valid word.
 */
export function resolveOptions<T>(table: OptionTable<T>, input: unknown, path: string): T {
  const problems = new Problems()
  const resolved = readGiven(path, () => group(table).read(input, path, problems))
  problems.throwIfAny()
  return resolved
}

/** An object with a table of its own. Default: all its defaults. */
export function group<T>(table: OptionTable<T>): OptionReader<T> {
  const keys = Object.keys(table) as (keyof T & string)[]
  return {
    read(value, path, problems) {
      const given = objectOr(value, path, problems)
      reportUnknownOptions(given, keys, path, problems)
      const resolved: Partial<T> = {}
      for (const key of keys) resolved[key] = table[key].read(given[key], `${path}.${key}`, problems)
      return Object.freeze(resolved) as T
    },
  }
}

function objectOr(value: unknown, path: string, problems: Problems): Readonly<Record<string, unknown>> {
  if (value === undefined) return {}
  try {
    const container = containerName(value)
    if (typeof value === 'object' && value !== null && container === undefined) return { ...value }
    problems.add(path, `expected an object, got ${container ?? typeName(value)}`)
  } catch (thrown) {
    problems.addError(unreadable(path, thrown))
  }
  return {}
}

const containers =
  /^(?:\w*Array|(?:Weak)?(?:Map|Set)|Date|RegExp|Promise|ArrayBuffer|DataView|Number|String|Boolean)$/

// A list, a map or a boxed value has no options among its keys: it must not count as an object without options. Throws
// for a revoked proxy.
function containerName(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) === Object.prototype)
    return undefined
  if (Array.isArray(value)) return 'a list'
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1)
  if (!containers.test(tag)) return undefined
  return `${/^[AEIO]/.test(tag) ? 'an' : 'a'} ${tag}`
}

/** Reads what a caller gave: what its getters or proxies throw becomes `config-invalid` with the cause. */
export function readGiven<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    throw isHaError(thrown) ? thrown : unreadable(path, thrown)
  }
}

function unreadable(path: string, thrown: unknown): HaError {
  return invalidOption(path, unreadableProblem(thrown), thrown)
}

function unreadableProblem(thrown: unknown): string {
  return `could not be read (${asError(thrown).name})`
}

function reportUnknownOptions(
  given: object,
  keys: readonly string[],
  path: string,
  problems: Problems,
): void {
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined) continue
    if (!keys.includes(key)) problems.add(`${path}.${key}`, `there is no such option${didYouMean(key, keys)}`)
  }
}

export interface NumberRange {
  readonly default: number
  readonly min: number
  readonly max: number
  /** Whether `Infinity` is allowed too, for *never*. Default false. */
  readonly orNever?: boolean
}

/** A whole number of milliseconds. */
export function milliseconds(range: NumberRange): OptionReader<number> {
  return numberIn(range, ' of milliseconds')
}

/** A whole number. */
export function count(range: NumberRange): OptionReader<number> {
  return numberIn(range, '')
}

function numberIn(range: NumberRange, unit: string): OptionReader<number> {
  const never = range.orNever === true ? ', or Infinity' : ''
  return {
    read(value, path, problems) {
      if (value === undefined) return range.default
      if (value === Number.POSITIVE_INFINITY && range.orNever === true) return value
      const fits = Number.isInteger(value) && Number(value) >= range.min && Number(value) <= range.max
      if (!fits) {
        problems.add(
          path,
          `expected a whole number${unit} from ${range.min} to ${range.max}${never}, got ${describeValue(value)}`,
        )
      }
      return fits ? Number(value) : range.default
    },
  }
}

/** An option without a default of its own: undefined when it is not given. */
export function optional<T>(reader: OptionReader<T>): OptionReader<T | undefined> {
  return {
    read: (value, path, problems) => (value === undefined ? undefined : reader.read(value, path, problems)),
  }
}

/** One of a few words. */
export function oneOf<W extends string>(words: readonly W[], fallback: W): OptionReader<W> {
  return {
    read(value, path, problems) {
      if (value === undefined) return fallback
      const word = words.find((candidate) => candidate === value)
      if (word === undefined) {
        const hint = typeof value === 'string' ? didYouMean(value, words) : ''
        problems.add(path, `expected one of ${words.join(', ')}, got ${describeValue(value)}${hint}`)
      }
      return word ?? fallback
    },
  }
}

/** Text, not empty. */
export function text(fallback: string): OptionReader<string> {
  return {
    read(value, path, problems) {
      if (value === undefined) return fallback
      if (value === '') problems.add(path, 'expected text that is not empty')
      else if (typeof value !== 'string') problems.add(path, `expected text, got ${typeName(value)}`)
      return typeof value === 'string' ? value : fallback
    },
  }
}

/** True or false. */
export function flag(fallback: boolean): OptionReader<boolean> {
  return {
    read(value, path, problems) {
      if (value === undefined) return fallback
      if (typeof value !== 'boolean')
        problems.add(path, `expected true or false, got ${describeValue(value)}`)
      return value === true
    },
  }
}

/**
 * An option with a check of its own: `check` returns the value, the default for `undefined`, or throws `config-invalid`.
 * `null` is refused in any case.
 */
export function checked<T>(check: (value: unknown, path: string) => T, fallback: T): OptionReader<T> {
  return {
    read(value, path, problems) {
      try {
        const read = check(value, path)
        if (value !== null) return read
        problems.add(path, 'expected a value, got null')
      } catch (error) {
        // A check that throws anything else has no message for the user.
        if (isHaError(error)) problems.addError(error)
        else problems.add(path, `expected something else, got ${typeName(value)}`)
      }
      return fallback
    },
  }
}

function describeValue(value: unknown): string {
  return typeof value === 'string'
    ? `'${value}'`
    : typeof value === 'number'
      ? String(value)
      : typeName(value)
}

/** The type of a value for an error, with its article: `an object`, `a number`. Never the value. */
export function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (value === undefined) return 'nothing'
  if (typeof value !== 'object') return `a ${typeof value}`
  try {
    return Array.isArray(value) ? 'a list' : 'an object'
  } catch {
    // Not even this can be asked of a revoked proxy.
    return 'an object'
  }
}

/** A value for an error: a text in quotes, a number as it is, and the type of anything else. Never throws. */
export function quoted(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : describeValue(value)
}

/** Refuses a client class that plain JavaScript called with `new`: its options are not resolved. */
export function requireFactory(deps: unknown, factory: string): void {
  if (deps === undefined) throw new HaError('config-invalid', `new: use ${factory}(options) instead`)
}

/** The error for an option that cannot be used. The problem must not contain a value that may be a secret. */
export function invalidOption(path: string, problem: string, cause?: unknown): HaError {
  return new HaError('config-invalid', `${path}: ${problem}`, { cause })
}

/** TLS: false, true, or options of `node:tls`. Undefined stands for no TLS, which is the default. */
export function tls(): OptionReader<TlsOptions | undefined> {
  return checked((value, path) => {
    if (value === undefined || value === false) return undefined
    if (value === true) return {}
    if (typeof value === 'object' && value !== null) return value
    throw invalidOption(path, `expected true, false or the options of node:tls, got ${typeName(value)}`)
  }, undefined)
}

/** TLS as for {@link tls}, or a function that returns its options and is called before each connection. */
export function tlsSource(): OptionReader<OptionSource<TlsOptions> | undefined> {
  const fixed = tls()
  return {
    read(value, path, problems) {
      if (typeof value !== 'function') return fixed.read(value, path, problems)
      return async () => {
        const options: unknown = await value()
        if (typeof options === 'object' && options !== null) return options
        throw invalidOption(`${path}()`, `expected the options of node:tls, got ${typeName(options)}`)
      }
    },
  }
}

/** A secret text. The errors never contain the value. */
export function secret(fallback: string): OptionReader<string> {
  return checked((value, path) => (value === undefined ? fallback : secretText(value, path)), fallback)
}

/**
 * A secret text, or a function that is called before each connection. A text is wrapped in a function, so that no dump of
 * the options shows it; the errors never contain it.
 */
export function credentials(fallback: string): OptionReader<() => Promise<string>> {
  return checked<() => Promise<string>>(
    (value, path) => {
      if (typeof value === 'function') return async () => secretText(await value(), `${path}()`)
      if (value !== undefined && typeof value !== 'string')
        throw invalidOption(path, `expected text or a function, got ${typeName(value)}`)
      return async () => value ?? fallback
    },
    async () => fallback,
  )
}

function secretText(value: unknown, path: string): string {
  if (typeof value === 'string') return value
  throw invalidOption(path, `expected text, got ${typeName(value)}`)
}

/**
 * Addresses: `'host:port,host:port'`, a list of texts or `{ host, port }`, or a function that returns such a list
 * and is called before each round of dials. There is no default.
 */
export function addresses(defaultPort: number): OptionReader<EndpointSource> {
  return checked<EndpointSource>((value, path) => {
    if (typeof value === 'function')
      return async () =>
        quotingNothing('addresses', async () => addressList(await value(), `${path}()`, defaultPort))
    if (typeof value === 'string') return parseHostList(value, { defaultPort, where: path })
    const endpoints = addressList(value, path, defaultPort)
    if (endpoints.length === 0) throw invalidOption(path, 'expected at least one address')
    return endpoints
  }, [])
}

function addressList(value: unknown, path: string, defaultPort: number): readonly Endpoint[] {
  if (Array.isArray(value))
    return value.map((address, index) => checkEndpoint(address, `${path}[${index}]`, defaultPort))
  const expected = "expected 'host:port,host:port', a list of addresses, or a function that returns one"
  throw invalidOption(path, expected)
}

/** The two options of a full-jitter back-off, for a table: `baseMs` 1 ms to 1 minute, `maxMs` 1 ms to 10 minutes. */
export function backoffOptions(defaults: FullJitter): {
  readonly [K in keyof FullJitter]: OptionReader<number>
} {
  return {
    baseMs: milliseconds({ default: defaults.baseMs, min: 1, max: 60_000 }),
    maxMs: milliseconds({ default: defaults.maxMs, min: 1, max: 600_000 }),
  }
}

/** A full-jitter back-off: `{ baseMs, maxMs }`. */
export function backoff(defaults: FullJitter): OptionReader<FullJitter> {
  return group(backoffOptions(defaults))
}

/** One of the balancing words. The former words are accepted and replaced. */
export function balancing<W extends string>(words: readonly W[], fallback: W): OptionReader<W> {
  const reader = oneOf(words, fallback)
  const former: Readonly<Record<string, PoolStrategy>> = strategyAliases
  return {
    read(value, path, problems) {
      const word = typeof value === 'string' && Object.hasOwn(former, value) ? former[value] : undefined
      const isOffered = words.some((each) => each === word)
      return reader.read(isOffered ? word : value, path, problems)
    },
  }
}

/** Checks the value of one option: returns what was expected instead, or undefined when the value fits. */
export type OptionCheck = (value: unknown) => string | undefined

export interface CallOptionRules<T> {
  /** The check of each option. An option that is `undefined` is not checked. */
  readonly table: { readonly [K in keyof T]-?: OptionCheck }
  /** Makes the client's `config-invalid` error for the option at `path`, such as `query.timeoutMs`. */
  readonly invalid: (path: string, problem: string) => Error
  /** Names that other libraries use, each with the name of the option here. */
  readonly otherNames?: Readonly<Record<string, string>>
}

/**
 * Throws for the first option that does not exist or does not fit. `call` is the name of the call in errors; `names`
 * are the options that it takes. Default: all of the table.
 */
export type CallOptionCheck<T> = (
  call: string,
  given: Partial<T> | undefined,
  names?: readonly (keyof T & string)[],
) => void

/** Makes the check of the options of calls. It allocates nothing for valid options: some calls are made 50 000 times a second. */
export function callOptions<T extends object>(rules: CallOptionRules<T>): CallOptionCheck<T> {
  const { table, invalid } = rules
  const checks = new Map<string, OptionCheck>(Object.entries(table))
  const checkFor = (name: string, names: readonly string[] | undefined): OptionCheck =>
    (names?.includes(name) === false ? undefined : checks.get(name)) ??
    (() => unknownOption(name, rules, names))
  return (call, given, names) => {
    if (given === undefined) return
    if (typeof given !== 'object' || given === null) throw invalid(call, 'expected an object of options')
    const wrong = firstProblem(given, (name, value) => problemOf(checkFor(name, names), value))
    if (wrong !== undefined)
      throw invalid(wrong.name === undefined ? call : `${call}.${wrong.name}`, wrong.problem)
  }
}

interface OptionProblem {
  /** Undefined when the names themselves cannot be read. */
  readonly name: string | undefined
  readonly problem: string
}

function firstProblem(
  given: Readonly<Record<string, unknown>>,
  check: (name: string, value: unknown) => string | undefined,
): OptionProblem | undefined {
  let name: string | undefined
  try {
    const container = containerName(given)
    if (container !== undefined) return { name, problem: `expected an object of options, got ${container}` }
    for (name in given) {
      const problem = check(name, given[name])
      if (problem !== undefined) return { name, problem }
    }
    return undefined
  } catch (thrown) {
    return { name, problem: unreadableProblem(thrown) }
  }
}

function unknownOption(
  name: string,
  { table, otherNames = {} }: CallOptionRules<object>,
  names: readonly string[] = Object.keys(table),
): string {
  const other = otherNames[name]
  const hint = other === undefined ? didYouMean(name, names) : `; it is called '${other}' here`
  return `there is no such option${hint}`
}

function problemOf(check: OptionCheck, value: unknown): string | undefined {
  return value === undefined ? undefined : check(value)
}

const timeoutProblem = `expected a number of milliseconds from 1 to ${maxTimerMs}`

function ofType(type: 'string' | 'number' | 'object', expected: string): OptionCheck {
  return (value) => {
    if (typeof value === type && value !== null) return undefined
    return `expected ${expected}, got ${typeName(value)}`
  }
}

/** The checks that tables of call options are made of. */
export const optionChecks: OptionChecks = {
  timeoutMs: (value) =>
    typeof value === 'number' && value >= 1 && value <= maxTimerMs ? undefined : timeoutProblem,
  signal: (value) => (value instanceof AbortSignal ? undefined : 'expected an AbortSignal'),
  flag: (value) => (typeof value === 'boolean' ? undefined : 'expected true or false'),
  text: ofType('string', 'a string'),
  number: ofType('number', 'a number'),
  object: ofType('object', 'an object'),
  oneOf: (words) => (value) => {
    if (words.some((word) => word === value)) return undefined
    const hint = typeof value === 'string' ? didYouMean(value, words) : ''
    return `expected one of ${words.join(', ')}${hint}`
  },
  any: () => undefined,
}

interface OptionChecks
  extends Readonly<Record<'signal' | 'flag' | 'text' | 'number' | 'object', OptionCheck>> {
  /** At least 1 ms, at most the longest timer of Node.js, a little under 25 days. */
  readonly timeoutMs: OptionCheck
  /** One of a few words. */
  readonly oneOf: (words: readonly string[]) => OptionCheck
  /** For an option that another function checks. */
  readonly any: OptionCheck
}
