import { parseExpression } from './parse-expression.ts'
import { parseDelete, parseInsert, parseSelect, parseShow, parseUpdate } from './parse-rows.ts'
import { parseAccess, parseAssignment, parseSet } from './parse-set.ts'
import { parseCreateTable, parseTableName } from './parse-table.ts'
import type { Assignment, Statement } from './statement.ts'
import { tokensOf } from './token.ts'
import { TokenCursor, UnknownSql } from './token-cursor.ts'

/** A statement that was understood, and how many parameters it has. */
export interface Parsed {
  readonly statement: Statement
  /** Variables that hold only for this statement: `SET STATEMENT … FOR …`. */
  readonly variables: readonly Assignment[]
  readonly parameters: number
}

/** Reads a statement; undefined when it is none that the fake server knows. */
export function parse(sql: string): Parsed | undefined {
  const tokens = tokensOf(sql)
  if (tokens === undefined) return undefined
  const cursor = new TokenCursor(sql, tokens)
  try {
    const variables = cursor.accept('set', 'statement') ? parseVariables(cursor) : []
    const statement = parseStatement(cursor)
    cursor.accept(';')
    return cursor.isAtEnd ? { statement, variables, parameters: cursor.parameters } : undefined
  } catch (error) {
    if (error instanceof UnknownSql) return undefined
    throw error
  }
}

function parseStatement(cursor: TokenCursor): Statement {
  const first = cursor.take()
  const read = first.kind === 'word' ? readers[first.text] : undefined
  if (read === undefined) throw cursor.unknown()
  return read(cursor)
}

const readers: Readonly<Record<string, (cursor: TokenCursor) => Statement>> = {
  select: (cursor) => parseSelect(cursor, 'select'),
  do: (cursor) => parseSelect(cursor, 'do'),
  insert: parseInsert,
  update: parseUpdate,
  delete: parseDelete,
  create: parseCreate,
  drop: (cursor) => {
    cursor.expect('table')
    const isLenient = cursor.accept('if', 'exists')
    return { kind: 'drop-table', table: parseTableName(cursor), isLenient }
  },
  truncate: (cursor) => {
    cursor.accept('table')
    return { kind: 'truncate', table: parseTableName(cursor) }
  },
  begin: () => ({ kind: 'begin', access: undefined }),
  start: parseStart,
  commit: () => ({ kind: 'commit' }),
  rollback: parseRollback,
  savepoint: (cursor) => ({ kind: 'savepoint', name: cursor.name() }),
  release: (cursor) => {
    cursor.expect('savepoint')
    return { kind: 'release', name: cursor.name() }
  },
  set: parseSet,
  use: (cursor) => ({ kind: 'use', schema: cursor.name() }),
  show: parseShowing,
  kill: (cursor) => {
    const what = cursor.acceptOne(['connection', 'query'] as const) ?? 'connection'
    return { kind: 'kill', what, id: parseExpression(cursor) }
  },
}

function parseCreate(cursor: TokenCursor): Statement {
  if (cursor.accept('table')) return parseCreateTable(cursor)
  if (!cursor.accept('database')) cursor.expect('schema')
  const isLenient = cursor.accept('if', 'not', 'exists')
  return { kind: 'create-schema', name: cursor.name(), isLenient }
}

function parseShowing(cursor: TokenCursor): Statement {
  if (cursor.accept('warnings')) return { kind: 'show-warnings' }
  const isAll = cursor.accept('all')
  if (cursor.acceptOne(isAll ? ['slaves', 'replicas'] : ['slave', 'replica']) === undefined)
    return parseShow(cursor)
  cursor.expect('status')
  return { kind: 'show-replica' }
}

function parseStart(cursor: TokenCursor): Statement {
  cursor.expect('transaction')
  cursor.accept('with', 'consistent', 'snapshot')
  return { kind: 'begin', access: parseAccess(cursor) }
}

function parseRollback(cursor: TokenCursor): Statement {
  if (!cursor.accept('to')) return { kind: 'rollback' }
  cursor.accept('savepoint')
  return { kind: 'rollback-to', name: cursor.name() }
}

function parseVariables(cursor: TokenCursor): readonly Assignment[] {
  const variables = cursor.list(() => parseAssignment(cursor))
  cursor.expect('for')
  return variables
}
