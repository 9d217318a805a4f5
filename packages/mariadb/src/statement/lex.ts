/** A piece of a statement; words are in upper case, values are left out of `text`. */
export interface Token {
  readonly kind: 'word' | 'quoted-name' | 'symbol' | 'value'
  readonly text: string
}

// One alternative for each kind, the longest first.
const pattern =
  /(?<blank>\s+|--(?=\s|$)[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/)|(?<string>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?<name>`(?:[^`]|``)*`)|(?<word>[\p{L}_$][\p{L}\p{N}_$]*)|(?<number>\d[\p{L}\p{N}_.]*)|(?<symbol>:=|(?!\/\*)[^\s'"`])/uy

// A comment that the server executes; and a backslash before a quote, which ends the text or not as `sql_mode` says.
const unsure = /\/\*[!M]|\\['"]/

/** The pieces of a statement, without blanks and comments; undefined when it cannot be read with certainty. */
export function lex(sql: string): readonly Token[] | undefined {
  if (unsure.test(sql)) return undefined
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
