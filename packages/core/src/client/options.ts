import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { Endpoint } from '../address/endpoint.ts'
import { checkEndpoint, parseHostList } from '../address/host-list.ts'
import { didYouMean } from '../address/nearest.ts'
import { HaError } from '../errors/ha-error.ts'
import type { EndpointSource } from '../model/roster.ts'
import { checked, group, milliseconds, type OptionReader, oneOf } from '../options/options.ts'
import type { FullJitter } from '../policy/backoff.ts'
import { type PoolStrategy, strategyAliases } from '../policy/select.ts'
import { longestTimerMs } from '../runtime/clock.ts'

/** The error for an option that cannot be used. Never give it a value that may be a secret. */
export function invalidOption(path: string, problem: string, cause?: unknown): HaError {
  return new HaError('config-invalid', `${path}: ${problem}`, { cause })
}

/** TLS: false, true, or options of `node:tls`. Undefined stands for no TLS, which is the default. */
export function tls(): OptionReader<TlsOptions | undefined> {
  return checked((value, path) => {
    if (value === undefined || value === false) return undefined
    if (value === true) return {}
    if (typeof value === 'object' && value !== null) return value
    throw invalidOption(path, `expected true, false or the options of node:tls, got a ${typeof value}`)
  }, undefined)
}

/** A secret text. The errors never contain the value. */
export function secret(fallback: string): OptionReader<string> {
  return checked((value, path) => (value === undefined ? fallback : secretText(value, path)), fallback)
}

/**
 * A secret text, or a function that is asked for it before each connection. The errors never contain the value.
 */
export function credentials(fallback: string): OptionReader<() => Promise<string>> {
  return checked(
    (value, path) => {
      if (typeof value === 'function') return async () => secretText(await value(), `${path}()`)
      if (value !== undefined && typeof value !== 'string')
        throw invalidOption(path, `expected text or a function, got a ${typeof value}`)
      return async () => value ?? fallback
    },
    async () => fallback,
  )
}

function secretText(value: unknown, path: string): string {
  if (typeof value === 'string') return value
  throw invalidOption(path, `expected text, got a ${typeof value}`)
}

/**
 * Addresses: `'host:port,host:port'`, a list of texts or `{ host, port }`, or a function that is asked for such a list
 * before each round of dials. There is no default.
 */
export function addresses(defaultPort: number): OptionReader<EndpointSource> {
  return checked<EndpointSource>((value, path) => {
    if (typeof value === 'function') return async () => addressList(await value(), `${path}()`, defaultPort)
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

/** One of the balancing words, or the former word for one of them, which is replaced here. */
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
    for (const name in given) {
      const problem = problemOf(checkFor(name, names), given[name])
      if (problem !== undefined) throw invalid(`${call}.${name}`, problem)
    }
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

const timeoutProblem = `expected a number of milliseconds from 1 to ${longestTimerMs}`

function ofType(type: 'string' | 'number' | 'object', expected: string): OptionCheck {
  return (value) => {
    if (typeof value === type && value !== null) return undefined
    return `expected ${expected}, got ${value === null ? 'null' : withArticle(typeof value)}`
  }
}

function withArticle(type: string): string {
  return type === 'object' ? 'an object' : `a ${type}`
}

/** The checks that tables of call options are made of. */
export const optionChecks: OptionChecks = {
  timeoutMs: (value) =>
    typeof value === 'number' && value >= 1 && value <= longestTimerMs ? undefined : timeoutProblem,
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
