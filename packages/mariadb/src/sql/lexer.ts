/** A piece of a statement; words are in upper case, values are left out of `text`. */
export interface Token {
  readonly kind: 'word' | 'quoted-name' | 'symbol' | 'value'
  readonly text: string
}

// One alternative for each kind, the longest first.
const pattern =
  /(?<blank>\s+|--(?=\s|$)[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/)|(?<string>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?<name>`(?:[^`]|``)*`)|(?<word>[\p{L}_$][\p{L}\p{N}_$]*)|(?<number>\d[\p{L}\p{N}_.]*)|(?<symbol>:=|(?!\/\*)[^\s'"`])/uy

// A comment that the server executes; and a backslash before a quote, which ends the text or not as `sql_mode` says.
const ambiguous = /\/\*[!M]|\\['"]/

/** The pieces of a statement, without blanks and comments; undefined when it cannot be read with certainty. */
export function lex(sql: string): readonly Token[] | undefined {
  if (ambiguous.test(sql)) return undefined
  const tokens: Token[] = []
  pattern.lastIndex = 0
  let end = 0
  while (end < sql.length) {
    const groups = pattern.exec(sql)?.groups
    if (groups === undefined) return undefined
    end = pattern.lastIndex
    const token = tokenOf(groups)
    if (token !== undefined) tokens.push(token)
  }
  return tokens
}

function tokenOf(groups: Readonly<Record<string, string | undefined>>): Token | undefined {
  const { word, symbol, name, string, number } = groups
  if (word !== undefined) return { kind: 'word', text: word.toUpperCase() }
  if (symbol !== undefined) return { kind: 'symbol', text: symbol }
  if (name !== undefined) return { kind: 'quoted-name', text: '' }
  return string !== undefined || number !== undefined ? { kind: 'value', text: '' } : undefined
}

// Blanks, comments and parentheses; a comment that the server executes is none.
const leadingBlanks = /^(?:[\s(]|\/\*(?!M?!)[\s\S]*?\*\/|--[^\n]*\n|#[^\n]*\n)+/

/** A statement from its first word on: what stands before it says nothing of what the statement does. */
export function skipLeadingBlanks(sql: string): string {
  return leadingBlanks.test(sql) ? sql.replace(leadingBlanks, '') : sql
}

// A service has some hundred statements. One that writes its values into them has endless many, each of them once.
const maxTexts = 500
const maxTextLength = 4_096

/**
 * Remembers what a pure function said of a text: programs send the same few statements again and again. Holds at most
 * 500 texts of 4 096 characters each; longer ones are asked of anew.
 */
export function memoizeByText<T>(of: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    if (text.length > maxTextLength) return of(text)
    const before = known.get(text)
    if (before !== undefined) return before
    const said = of(text)
    if (known.size >= maxTexts) known.clear()
    known.set(text, said)
    return said
  }
}
