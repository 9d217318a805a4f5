import { whyFixed } from './fixed-variables.ts'
import type { VariableValue } from './resolved.ts'
import { anyText, misspelt, type Spelling } from './spelling.ts'

/** Variables of a session, each with its value. */
export type Variables = Readonly<Record<string, VariableValue>>

/** Checks an object of variables. Names are those of the server, without `@@` or `session.`. */
export const variables: Spelling<Variables> = (given, place) => {
  if (given === undefined) return Object.freeze({})
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw misspelt(place, 'expected an object of names and values')
  }
  for (const [name, value] of Object.entries(given)) {
    checkName(name, place)
    if (!isValue(value)) {
      throw misspelt(`${place}.${name}`, 'expected text, a finite number, true, false or null')
    }
  }
  return Object.freeze({ ...given })
}

/** Reads Java's `a=1,b='x,y'`, with commas or semicolons between. An expression is refused: it belongs to `initSql`. */
export const javaVariables: Spelling<Variables> = (value, place) => {
  const found: Record<string, VariableValue> = {}
  let rest = anyText(value, place)
  while (rest !== '') {
    const match = assignment.exec(rest)
    const [all, name = '', single, double, word = ''] = match ?? []
    if (all === undefined) {
      throw misspelt(place, "expected name=value,name='value'; write an expression in session.initSql")
    }
    const key = name.toLowerCase()
    checkName(key, place)
    found[key] = single ?? double ?? meaningOf(word)
    rest = rest.slice(all.length)
  }
  return found
}

// A name, '=', and a quoted text without escapes or a bare word; then a separator or the end.
const assignment =
  /^\s*(?:@@)?(?:session\.)?([a-z_][a-z0-9_]*)\s*=\s*(?:'([^'\\]*)'|"([^"\\]*)"|([\w.:+-]+))\s*(?:[,;]|$)/i

function meaningOf(word: string): VariableValue {
  if (/^-?\d+(?:\.\d+)?$/.test(word)) return Number(word)
  const meanings = new Map<string, VariableValue>([
    ['true', true],
    ['false', false],
    ['null', null],
  ])
  const meaning = meanings.get(word.toLowerCase())
  return meaning === undefined ? word : meaning
}

function checkName(name: string, place: string): void {
  if (!/^[a-z_][a-z0-9_]*$/i.test(name)) {
    throw misspelt(place, "expected names of session variables, without '@@' or 'session.'")
  }
  const why = whyFixed(name)
  if (why !== undefined) throw misspelt(place, why)
}

function isValue(value: unknown): boolean {
  return value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value)
}
