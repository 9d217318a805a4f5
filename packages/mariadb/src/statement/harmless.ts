import { remembered } from '../driver/remembered.ts'
import { lex, type Token } from './lex.ts'
import { pureFunctions, wordsBeforeParentheses } from './pure-functions.ts'

/**
 * Whether a statement can be seen to change nothing, so that twice is harmless: a SELECT, SHOW, DESCRIBE or EXPLAIN
 * that calls built-in functions only. A stored function may write, and so may a sequence: these are not.
 */
export const isHarmless: (sql: string) => boolean = remembered((sql) => judge(lex(sql)))

const readers: ReadonlySet<string> = new Set(['SELECT', 'WITH', 'SHOW', 'DESCRIBE', 'DESC', 'EXPLAIN'])

// INTO writes variables and files, a PROCEDURE runs, NEXT, PREVIOUS and the words with VAL belong to sequences, the
// others write where a statement begins with WITH or EXPLAIN.
const writers: ReadonlySet<string> = new Set([
  'INTO',
  'PROCEDURE',
  'NEXT',
  'PREVIOUS',
  'INSERT',
  'UPDATE',
  'DELETE',
  'ANALYZE',
  'NEXTVAL',
  'PREVVAL',
  'LASTVAL',
  'SETVAL',
])

function judge(tokens: readonly Token[] | undefined): boolean {
  const first = tokens?.find((token) => token.text !== '(')
  if (tokens === undefined || first?.kind !== 'word' || !readers.has(first.text)) return false
  return tokens.every((token, i) => isHarmlessToken(token, tokens[i - 1], tokens[i + 1]))
}

function isHarmlessToken(token: Token, before: Token | undefined, next: Token | undefined): boolean {
  switch (token.kind) {
    case 'word':
      return isHarmlessWord(token.text, before?.text, next?.text)
    case 'quoted-name':
    case 'value':
      // With `ANSI_QUOTES` a text in double quotes is a name.
      return next?.text !== '('
    case 'symbol':
      return token.text !== ':=' && (token.text !== ';' || next === undefined)
  }
}

function isHarmlessWord(word: string, before: string | undefined, next: string | undefined): boolean {
  if (word === 'UPDATE' && before === 'FOR') return true
  if (writers.has(word)) return false
  if (next !== '(') return true
  // A name behind a point is a function of the user's, whatever it is called.
  return before !== '.' && (pureFunctions.has(word) || wordsBeforeParentheses.has(word))
}
