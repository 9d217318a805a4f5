/** A word, a value or a sign of a statement, and where it begins. */
export interface Token {
  readonly kind: 'word' | 'quoted-word' | 'text' | 'number' | 'variable' | 'parameter' | 'sign' | 'end'
  /** As it counts: words in lower case, texts and quoted words without their quotes. */
  readonly text: string
  /** As it was written. */
  readonly written: string
  /** Where in the statement it begins. */
  readonly at: number
}

const patterns: readonly (readonly [Token['kind'] | 'space', RegExp])[] = [
  ['space', /\s+|\/\*[\s\S]*?\*\/|--\s[^\n]*|#[^\n]*/y],
  ['number', /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y],
  ['text', /(?:_binary\s*)?'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"/iy],
  ['quoted-word', /`(?:[^`]|``)+`/y],
  ['variable', /@@?[\w.$]+/y],
  ['word', /[A-Za-z_$][\w$]*/y],
  ['parameter', /\?/y],
  ['sign', /<=>|<>|!=|<=|>=|:=|[-+*/%=<>(),.;]/y],
]

/** Cuts a statement into tokens; undefined when something in it is no SQL. */
export function tokensOf(sql: string): readonly Token[] | undefined {
  const tokens: Token[] = []
  for (let at = 0; at < sql.length; ) {
    const found = tokenAt(sql, at)
    if (found === undefined) return undefined
    if (found.token !== undefined) tokens.push(found.token)
    at += found.length
  }
  return tokens
}

interface Found {
  readonly token: Token | undefined
  readonly length: number
}

function tokenAt(sql: string, at: number): Found | undefined {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at
    const written = pattern.exec(sql)?.[0]
    if (written === undefined) continue
    const token = kind === 'space' ? undefined : { kind, text: meaning(kind, written), written, at }
    return { token, length: written.length }
  }
  return undefined
}

function meaning(kind: Token['kind'], written: string): string {
  switch (kind) {
    case 'word':
    case 'variable':
      return written.toLowerCase()
    case 'quoted-word':
      return written.slice(1, -1).replaceAll('``', '`')
    case 'text':
      return unquoted(written.replace(/^_binary\s*/i, ''))
    case 'number':
    case 'parameter':
    case 'sign':
    case 'end':
      return written
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '0': '\0', Z: '\x1a', b: '\b' }

function unquoted(written: string): string {
  const quote = written.charAt(0)
  return written
    .slice(1, -1)
    .replaceAll(quote + quote, quote)
    .replaceAll(/\\([\s\S])/g, (_, escaped: string) => escapes[escaped] ?? escaped)
}
