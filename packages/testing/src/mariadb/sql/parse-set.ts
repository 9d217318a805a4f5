import type { Expression } from './expression.ts'
import { parseExpression, variableOf } from './parse-expression.ts'
import type { Access, Assignment, Statement } from './statement.ts'
import type { TokenCursor } from './token-cursor.ts'

/** Reads `SET`, behind this word. */
export function parseSet(cursor: TokenCursor): Statement {
  if (cursor.accept('names')) return parseNames(cursor)
  const isGlobal = cursor.peek().text === 'global' && cursor.peek(1).text === 'transaction'
  if (isGlobal || cursor.peek(1).text === 'transaction') cursor.take()
  if (cursor.accept('transaction')) return parseTransaction(cursor, isGlobal ? 'global' : 'session')
  return { kind: 'set', assignments: cursor.list(() => parseAssignment(cursor)) }
}

function parseNames(cursor: TokenCursor): Statement {
  const name = cursor.take().text
  if (cursor.accept('collate')) cursor.take()
  const value: Expression = { kind: 'literal', value: name }
  const names = ['character_set_client', 'character_set_connection', 'character_set_results']
  return { kind: 'set', assignments: names.map((each) => ({ scope: 'session', name: each, value })) }
}

function parseTransaction(cursor: TokenCursor, scope: 'session' | 'global'): Statement {
  const access = parseAccess(cursor)
  if (access !== undefined) return { kind: 'set-access', access }
  cursor.expect('isolation', 'level')
  const words = [cursor.take().written]
  while (!cursor.isAtEnd) words.push(cursor.take().written)
  const value: Expression = { kind: 'literal', value: words.join('-').toUpperCase() }
  return { kind: 'set', assignments: [{ scope, name: 'tx_isolation', value }] }
}

/** Reads `READ ONLY` or `READ WRITE`, when it comes next. */
export function parseAccess(cursor: TokenCursor): Access | undefined {
  if (cursor.accept('read', 'only')) return 'read-only'
  return cursor.accept('read', 'write') ? 'read-write' : undefined
}

/** Reads one assignment of a `SET`. */
export function parseAssignment(cursor: TokenCursor): Assignment {
  const target = parseTarget(cursor)
  if (!cursor.accept(':=')) cursor.expect('=')
  if (cursor.accept('default')) return { ...target, value: undefined }
  return { ...target, value: bare(parseExpression(cursor)) }
}

function parseTarget(cursor: TokenCursor): Pick<Assignment, 'scope' | 'name'> {
  const scope = cursor.acceptOne(['global', 'session', 'local'])
  const token = cursor.peek()
  if (token.kind === 'variable') {
    cursor.take()
    const { scope: said, name } = variableOf(token.text)
    return { scope: said, name }
  }
  return { scope: scope === 'global' ? 'global' : 'session', name: cursor.name().toLowerCase() }
}

// `SET x = on` says a word where others say a text.
function bare(value: Expression): Expression {
  return value.kind === 'column' ? { kind: 'literal', value: value.name } : value
}
