import type { Expression } from './expression.ts'
import { parseExpression } from './parse-expression.ts'
import { parseTableName } from './parse-table.ts'
import type { ColumnValue, Delete, Insert, Select, SelectItem, Show, Update } from './statement.ts'
import type { TokenCursor } from './token-cursor.ts'

/** Reads `SELECT` or `DO`, behind this word. */
export function parseSelect(cursor: TokenCursor, kind: Select['kind']): Select {
  const items = cursor.list(() => parseItem(cursor))
  const from = cursor.accept('from') ? parseTableName(cursor) : undefined
  const where = parseWhere(cursor)
  const orderBy = cursor.accept('order', 'by') ? cursor.list(() => parseOrder(cursor)) : []
  const limit = cursor.accept('limit') ? parseExpression(cursor) : undefined
  return { kind, items, from, where, orderBy, limit, lock: parseLock(cursor) }
}

function parseLock(cursor: TokenCursor): Select['lock'] {
  if (cursor.accept('for', 'update')) return 'update'
  return cursor.accept('lock', 'in', 'share', 'mode') ? 'share' : undefined
}

function parseItem(cursor: TokenCursor): SelectItem {
  if (cursor.accept('*')) return { kind: 'all' }
  const first = cursor.peek()
  const value = parseExpression(cursor)
  const written = cursor.since(first)
  if (cursor.accept('as')) return { kind: 'one', name: aliasOf(cursor), value }
  const next = cursor.peek()
  const isAlias = (next.kind === 'word' && !clauses.includes(next.text)) || next.kind === 'quoted-word'
  if (isAlias) return { kind: 'one', name: cursor.name(), value }
  // A column without an alias is called as it was written.
  return { kind: 'one', name: value.kind === 'column' ? value.name : written, value }
}

const clauses: readonly string[] = ['from', 'where', 'order', 'limit', 'for', 'lock']

function aliasOf(cursor: TokenCursor): string {
  return cursor.peek().kind === 'text' ? cursor.take().text : cursor.name()
}

function parseOrder(cursor: TokenCursor): Select['orderBy'][number] {
  const by = parseExpression(cursor)
  return { by, isDescending: cursor.acceptOne(['asc', 'desc']) === 'desc' }
}

/** Reads `INSERT`, behind this word. */
export function parseInsert(cursor: TokenCursor): Insert {
  const isIgnoring = cursor.accept('ignore')
  cursor.accept('into')
  const table = parseTableName(cursor)
  const columns = cursor.peek().text === '(' ? cursor.enclosed(() => cursor.name()) : undefined
  if (!cursor.accept('values')) cursor.expect('value')
  const rows = cursor.list(() => cursor.enclosed(() => parseExpression(cursor)))
  const updates = cursor.accept('on', 'duplicate', 'key', 'update')
    ? cursor.list(() => parseColumnValue(cursor))
    : undefined
  return { kind: 'insert', table, columns, rows, onDuplicate: updates ?? (isIgnoring ? 'ignore' : 'refuse') }
}

/** Reads `UPDATE`, behind this word. */
export function parseUpdate(cursor: TokenCursor): Update {
  const table = parseTableName(cursor)
  cursor.expect('set')
  const values = cursor.list(() => parseColumnValue(cursor))
  return { kind: 'update', table, values, where: parseWhere(cursor) }
}

/** Reads `DELETE`, behind this word. */
export function parseDelete(cursor: TokenCursor): Delete {
  cursor.expect('from')
  return { kind: 'delete', table: parseTableName(cursor), where: parseWhere(cursor) }
}

function parseColumnValue(cursor: TokenCursor): ColumnValue {
  const column = cursor.name()
  cursor.expect('=')
  return { column, value: parseExpression(cursor) }
}

function parseWhere(cursor: TokenCursor): Expression | undefined {
  return cursor.accept('where') ? parseExpression(cursor) : undefined
}

/** Reads `SHOW STATUS` or `SHOW VARIABLES`, from their scope on. */
export function parseShow(cursor: TokenCursor): Show {
  cursor.acceptOne(['global', 'session'])
  const what = cursor.acceptOne(['status', 'variables'] as const)
  if (what === undefined) throw cursor.unknown()
  if (!cursor.accept('like')) return { kind: 'show', what, where: parseWhere(cursor) }
  const of: Expression = { kind: 'column', name: 'variable_name' }
  return { kind: 'show', what, where: { kind: 'like', of, pattern: parseExpression(cursor) } }
}
