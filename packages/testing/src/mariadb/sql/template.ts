import { exactNumber } from '../engine/values.ts'
import type { Row, Value } from '../wire/values.ts'

/** A statement whose literals are replaced by `:0`, `:1` and so on: what is left are words, names and punctuation. */
export interface Template {
  readonly text: string
  readonly literals: readonly Literal[]
  /** How many of the literals are parameters of a prepared statement. */
  readonly parameters: number
}

/** A number, a text or a parameter of a statement. */
export interface Literal {
  readonly written: string
  readonly value: (parameters: Row) => Value
}

/** The statement, or a part of it, fits no shape. */
export class NoMatchingShape extends Error {
  override readonly name = 'NoMatchingShape'
}

const lexeme = new RegExp(
  [
    String.raw`\s+|/\*[\s\S]*?\*/|--\s[^\n]*|#[^\n]*`,
    '`[^`]+`',
    String.raw`(?:_binary\s*)?'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"`,
    String.raw`\?`,
    String.raw`(?<![\w.$@])\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w$])`,
  ].join('|'),
  'gi',
)

/** Takes the literals out of a statement. Spaces remain only between words. */
export function templateOf(sql: string): Template {
  const literals: Literal[] = []
  let parameters = 0
  const keep = (written: string, value: Literal['value']): string => {
    literals.push({ written, value })
    return `:${literals.length - 1}`
  }
  const replace = (written: string): string => {
    if (/^[\s/#-]/.test(written)) return ' '
    if (written.startsWith('`')) return written.slice(1, -1)
    if (written === '?') {
      const index = parameters++
      return keep(written, (values) => values[index] ?? null)
    }
    const value = /^\d/.test(written) ? exactNumber(written) : unquoted(written.replace(/^_binary\s*/i, ''))
    return keep(written, () => value)
  }
  const text = sql
    .replaceAll(lexeme, replace)
    .replaceAll(/ *([(,=<>]) */g, '$1')
    .replaceAll(' )', ')')
    .replaceAll(/ +/g, ' ')
  return { text: text.replace(/ ?;? ?$/, '').trimStart(), literals, parameters }
}

/** The literal that a template calls `:index`. */
export function literalAt({ literals }: Template, index: string): Literal {
  const literal = literals[Number(index)]
  if (literal === undefined) throw new NoMatchingShape(`:${index}`)
  return literal
}

/** A part of a template as the client wrote it. */
export function sourceTextOf(template: Template, part: string): string {
  return part.replaceAll(/:(\d+)/g, (_, index: string) => literalAt(template, index).written)
}

/** The parts between the commas of a list; commas in parentheses do not count. */
export function splitAtCommas(list: string): readonly string[] {
  const parts: string[] = ['']
  let depth = 0
  for (const character of list) {
    if (character === '(') depth += 1
    if (character === ')') depth -= 1
    if (character === ',' && depth === 0) parts.push('')
    else parts.push((parts.pop() ?? '') + character)
  }
  return parts
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '0': '\0', Z: '\x1a', b: '\b' }

function unquoted(written: string): string {
  const quote = written.charAt(0)
  return written
    .slice(1, -1)
    .replaceAll(quote + quote, quote)
    .replaceAll(/\\([\s\S])/g, (_, escaped: string) => escapes[escaped] ?? escaped)
}
