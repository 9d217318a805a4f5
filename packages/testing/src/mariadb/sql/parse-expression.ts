import type { Expression, Variable } from './expression.ts'
import type { TokenCursor } from './token-cursor.ts'

// From the loosest to the tightest.
const levels: readonly (readonly string[])[] = [
  ['or'],
  ['and'],
  ['=', '<=>', '<>', '!=', '<=', '>=', '<', '>'],
  ['+', '-'],
  ['*', '/', '%'],
]
const comparisons = 2

/** Reads an expression. */
export function parseExpression(cursor: TokenCursor): Expression {
  return parseLevel(cursor, 0)
}

function parseLevel(cursor: TokenCursor, level: number): Expression {
  const operators = levels[level]
  if (operators === undefined) return parseUnary(cursor)
  if (level === comparisons && cursor.accept('not')) return { kind: 'not', of: parseLevel(cursor, level) }
  let left = parseLevel(cursor, level + 1)
  if (level === comparisons) left = parseTest(cursor, left)
  for (;;) {
    const operator = cursor.acceptOne(operators)
    if (operator === undefined) return left
    left = cursor.accept('interval')
      ? shifted(cursor, left, operator)
      : { kind: 'binary', operator, left, right: parseLevel(cursor, level + 1) }
  }
}

const secondsIn = { second: 1, minute: 60, hour: 3_600, day: 86_400 } as const

// `t - INTERVAL 5 MINUTE` is a function of `t` and of seconds, whose name nobody else can write.
function shifted(cursor: TokenCursor, time: Expression, operator: string): Expression {
  const name = shifts[operator]
  const count = parseExpression(cursor)
  const unit = cursor.acceptOne(['second', 'minute', 'hour', 'day'])
  if (name === undefined || unit === undefined) throw cursor.unknown()
  const factor: Expression = { kind: 'literal', value: secondsIn[unit] }
  const seconds: Expression = { kind: 'binary', operator: '*', left: count, right: factor }
  return { kind: 'call', name, args: [time, seconds] }
}

const shifts: Readonly<Record<string, string>> = { '+': '+interval', '-': '-interval' }

function parseTest(cursor: TokenCursor, of: Expression): Expression {
  if (cursor.accept('is')) {
    const isNegated = cursor.accept('not')
    cursor.expect('null')
    return negatedIf(isNegated, { kind: 'is-null', of })
  }
  const isNegated = cursor.accept('not')
  if (cursor.accept('in')) {
    return negatedIf(isNegated, { kind: 'in', of, list: cursor.enclosed(() => parseExpression(cursor)) })
  }
  if (cursor.accept('like')) {
    return negatedIf(isNegated, { kind: 'like', of, pattern: parseUnary(cursor) })
  }
  if (isNegated) throw cursor.unknown()
  return of
}

function negatedIf(isNegated: boolean, of: Expression): Expression {
  return isNegated ? { kind: 'not', of } : of
}

function parseUnary(cursor: TokenCursor): Expression {
  if (cursor.accept('-')) return { kind: 'negative', of: parseUnary(cursor) }
  if (cursor.accept('(')) {
    const inner = parseExpression(cursor)
    cursor.expect(')')
    return inner
  }
  return parsePrimary(cursor)
}

const words: Readonly<Record<string, Expression>> = {
  null: { kind: 'literal', value: null },
  true: { kind: 'literal', value: 1 },
  false: { kind: 'literal', value: 0 },
  default: { kind: 'literal', value: null },
  current_timestamp: { kind: 'call', name: 'now', args: [] },
}

function parsePrimary(cursor: TokenCursor): Expression {
  const token = cursor.take()
  switch (token.kind) {
    case 'number':
      return { kind: 'literal', value: numberOf(token.text) }
    case 'text':
      return { kind: 'literal', value: token.text }
    case 'parameter':
      return { kind: 'parameter', index: cursor.parameter() }
    case 'variable':
      return variableOf(token.text)
    case 'word':
      if (cursor.accept('(')) return parseCall(cursor, token.text)
      return words[token.text] ?? parseColumn(cursor, token.written)
    case 'quoted-word':
      return parseColumn(cursor, token.text)
    case 'sign':
    case 'end':
      throw cursor.unknown()
  }
}

function numberOf(text: string): number | bigint {
  const number = Number(text)
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? BigInt(text) : number
}

function parseCall(cursor: TokenCursor, written: string): Expression {
  const name = written === 'current_timestamp' ? 'now' : written
  if (cursor.accept('*', ')')) return { kind: 'call', name, args: [] }
  if (cursor.accept(')')) return { kind: 'call', name, args: [] }
  const args = cursor.list(() => parseExpression(cursor))
  cursor.expect(')')
  return { kind: 'call', name, args }
}

// Of `t.c` and `db.t.c` only the column counts: there is one table in a statement.
function parseColumn(cursor: TokenCursor, first: string): Expression {
  let name = first
  while (cursor.accept('.')) name = cursor.name()
  return { kind: 'column', name }
}

/** Reads what is said of a variable: `@@global.x`, `@@x` or `@x`. */
export function variableOf(text: string): Variable {
  if (!text.startsWith('@@')) return { kind: 'variable', scope: 'user', name: text.slice(1) }
  const [first = '', second] = text.slice(2).split('.')
  if (second === undefined) return { kind: 'variable', scope: 'session', name: first }
  return { kind: 'variable', scope: first === 'global' ? 'global' : 'session', name: second }
}
