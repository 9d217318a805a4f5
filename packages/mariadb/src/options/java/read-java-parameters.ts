import { didYouMean, type JdbcParameter, jdbcUrlSwitches, type Problems } from '@ha/core/driver'
import { type ForeignOption, translate } from '../foreign-option.ts'
import { overlay } from '../overlay.ts'
import { misspelt, oneWord } from '../spelling.ts'
import type { Translated } from '../translated.ts'
import { ignoredOptions } from './ignored-options.ts'
import { mappedOptions } from './mapped-options.ts'
import { rejectedOptions } from './rejected-options.ts'
import { type TlsOption, type TlsWords, tlsOfWords, tlsOptions } from './tls-options.ts'

/** Everything that Connector/J has a name for, and what becomes of it here. */
export const javaOptions: Readonly<Record<string, ForeignOption | TlsOption>> = {
  ...mappedOptions,
  ...tlsOptions,
  ...ignoredOptions,
  ...rejectedOptions,
}

const strictness = 'unknownOptions'
const names: readonly string[] = [...Object.keys(javaOptions), strictness, ...jdbcUrlSwitches]
// Connector/J tells names apart without regard to case.
const byLowerCase = new Map(Object.keys(javaOptions).map((name) => [name.toLowerCase(), name]))

/** Reads the parameters of a JDBC URL. What is wrong goes to `problems`, with the column of the parameter. */
export function readJavaParameters(parameters: readonly JdbcParameter[], problems: Problems): Translated {
  let sofar: Sofar = { draft: {}, warnings: [], words: {}, origins: new Map() }
  const onUnknown = readStrictness(parameters, problems)
  for (const parameter of parameters) {
    if (isStrictness(parameter)) continue
    try {
      sofar = fold(sofar, parameter, onUnknown)
    } catch (error) {
      problems.addError(error)
    }
  }
  const tls = tlsOfWords(sofar.words)
  return {
    draft: overlay(sofar.draft, { tls }),
    warnings: tls?.mode === 'off' ? [...sofar.warnings, ...inVain(sofar)] : sofar.warnings,
  }
}

// Java says nothing of it: whoever gave a certificate would believe that it is looked at.
function inVain({ origins }: Sofar): readonly string[] {
  const certificate = origins.get('ca')
  return certificate === undefined ? [] : [`${certificate.place}: not looked at: TLS is off without sslMode`]
}

interface Sofar extends Translated {
  readonly words: TlsWords
  /** Which parameter said something of an option of ours. */
  readonly origins: ReadonlyMap<string, Named>
}

interface Named {
  readonly name: string
  readonly place: string
}

type OnUnknown = 'reject' | 'warn' | 'ignore'

function fold(sofar: Sofar, parameter: JdbcParameter, onUnknown: OnUnknown): Sofar {
  const name = byLowerCase.get(parameter.name.toLowerCase())
  const option = name === undefined ? undefined : javaOptions[name]
  if (name === undefined || option === undefined) return withUnknown(sofar, parameter, onUnknown)
  const place = `url, column ${parameter.column}, ${name}`
  const value = parameter.value ?? true
  if (option.kind === 'tls') return withTls(sofar, option, { value, place, name })
  const { draft = {}, warning } = translate(option, value, place)
  const origins =
    option.kind === 'mapped' ? claimed(sofar.origins, option.to, { name, place }) : sofar.origins
  return {
    ...sofar,
    origins,
    draft: overlay(sofar.draft, draft),
    warnings: warning === undefined ? sofar.warnings : [...sofar.warnings, warning],
  }
}

function withTls(
  sofar: Sofar,
  option: TlsOption,
  { value, place, name }: Named & { readonly value: unknown },
): Sofar {
  const origins = claimed(sofar.origins, option.word, { name, place })
  return { ...sofar, origins, words: { ...sofar.words, [option.word]: option.read(value, place) } }
}

// Two names for one option must not disagree. Variables are many, and add up.
function claimed(origins: Sofar['origins'], to: string, named: Named): Sofar['origins'] {
  const earlier = origins.get(to)
  if (earlier !== undefined && to !== 'session.variables') {
    throw misspelt(named.place, `${earlier.name} says the same already: write one of them`)
  }
  return new Map(origins).set(to, named)
}

// The name is not repeated: behind an '&' that was not encoded, it is a piece of a password.
function withUnknown(sofar: Sofar, { name, column }: JdbcParameter, onUnknown: OnUnknown): Sofar {
  const problem = `there is no such option${didYouMean(name, names)}`
  const place = `url, column ${column}`
  if (onUnknown === 'reject') throw misspelt(place, problem)
  return onUnknown === 'ignore'
    ? sofar
    : { ...sofar, warnings: [...sofar.warnings, `${place}: ignored: ${problem}`] }
}

const readOnUnknown = oneWord<OnUnknown>(
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
