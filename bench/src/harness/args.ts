import { parseArgs } from 'node:util'
import { didYouMean } from '@ha/core/driver'

/** A command line that is not valid; reported without a stack. */
export class UsageError extends Error {}

/** Options of a command by their names, all as text; an option that is not known is an error with the nearest word. */
export function readOptions(
  argv: readonly string[],
  names: readonly string[],
): Readonly<Record<string, string>> {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]))
  for (const word of argv) {
    const name = /^--([^=]+)/.exec(word)?.[1]
    if (name !== undefined && !names.includes(name)) {
      throw new UsageError(
        `unknown option --${name}; ${names.length === 0 ? 'this command takes no options' : `known options: ${listed(names)}`}${didYouMean(name, names)}`,
      )
    }
  }
  try {
    const { values } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: false })
    return Object.fromEntries(
      Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    )
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause })
  }
}

/** One of some words, or all of them for `all`. */
export function chosen<W extends string>(
  given: string | undefined,
  words: readonly W[],
  fallback: readonly W[],
): readonly W[] {
  if (given === undefined) return fallback
  if (given === 'all') return words
  const word = words.find((candidate) => candidate === given)
  if (word === undefined)
    throw new UsageError(
      `expected ${words.join(', ')} or all, got '${given}'${didYouMean(given, [...words, 'all'])}`,
    )
  return [word]
}

/** A whole number of at least 1. */
export function positive(given: string | undefined, fallback: number, name: string): number {
  const value = given === undefined ? fallback : Number(given)
  if (!Number.isInteger(value) || value < 1)
    throw new UsageError(`--${name}: expected a whole number of at least 1`)
  return value
}

/** `--a, --b` */
export function listed(names: readonly string[]): string {
  return names.map((name) => `--${name}`).join(', ')
}
