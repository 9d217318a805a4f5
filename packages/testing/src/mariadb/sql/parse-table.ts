import type { ColumnType } from '../wire/column.ts'
import type { Expression } from './expression.ts'
import { parseExpression } from './parse-expression.ts'
import type { ColumnDefinition, CreateTable, TableName } from './statement.ts'
import type { TokenCursor } from './token-cursor.ts'

const types: Readonly<Record<string, ColumnType>> = {
  tinyint: 'int',
  smallint: 'int',
  int: 'int',
  integer: 'int',
  boolean: 'int',
  bigint: 'bigint',
  double: 'double',
  float: 'double',
  decimal: 'decimal',
  char: 'text',
  varchar: 'text',
  text: 'text',
  longtext: 'text',
  json: 'text',
  enum: 'text',
  uuid: 'text',
  binary: 'blob',
  varbinary: 'blob',
  blob: 'blob',
  longblob: 'blob',
  date: 'datetime',
  datetime: 'datetime',
  timestamp: 'datetime',
}

type Part =
  | { readonly key: readonly string[] }
  | { readonly column: ColumnDefinition; readonly isKey: boolean }

/** Reads `CREATE TABLE`, behind these words. Keys other than the primary one have no effect. */
export function parseCreateTable(cursor: TokenCursor): CreateTable {
  const isLenient = cursor.accept('if', 'not', 'exists')
  const table = parseTableName(cursor)
  const parts = cursor.enclosed(() => parsePart(cursor))
  // The engine, the character set and the like do not matter here.
  while (!cursor.isAtEnd) cursor.take()
  const key = parts.flatMap((part) => ('key' in part ? part.key : part.isKey ? [part.column.name] : []))
  const columns = parts.flatMap((part) => ('column' in part ? [part.column] : []))
  return { kind: 'create-table', table, isLenient, columns, primaryKey: key }
}

/** Reads the name of a table, with its schema when it is said. */
export function parseTableName(cursor: TokenCursor): TableName {
  const first = cursor.name()
  return cursor.accept('.') ? { schema: first, name: cursor.name() } : { schema: undefined, name: first }
}

function parsePart(cursor: TokenCursor): Part {
  if (cursor.accept('primary', 'key')) return { key: cursor.enclosed(() => cursor.name()) }
  if (cursor.acceptOne(['key', 'index'])) {
    if (cursor.peek().text !== '(') cursor.name()
    cursor.enclosed(() => cursor.name())
    return { key: [] }
  }
  return parseColumnDefinition(cursor)
}

function parseColumnDefinition(cursor: TokenCursor): Part {
  const name = cursor.name()
  const type = types[cursor.take().text]
  if (type === undefined) throw cursor.unknown()
  if (cursor.peek().text === '(') cursor.enclosed(() => cursor.take())
  const traits: Traits = { isKey: false, isNullable: true, isAutoIncrement: false, default: undefined }
  while (acceptTrait(cursor, traits));
  const { isKey, isNullable, isAutoIncrement, default: fallback } = traits
  const column = { name, type, isNullable: isNullable && !isKey, isAutoIncrement, default: fallback }
  return { column, isKey }
}

interface Traits {
  isKey: boolean
  isNullable: boolean
  isAutoIncrement: boolean
  default: Expression | undefined
}

function acceptTrait(cursor: TokenCursor, traits: Traits): boolean {
  if (cursor.accept('primary', 'key')) traits.isKey = true
  else if (cursor.accept('not', 'null')) traits.isNullable = false
  else if (cursor.accept('auto_increment')) traits.isAutoIncrement = true
  else if (cursor.accept('default')) traits.default = parseExpression(cursor)
  else return acceptOrnament(cursor)
  return true
}

// What changes nothing here.
function acceptOrnament(cursor: TokenCursor): boolean {
  if (cursor.accept('character', 'set') || cursor.accept('collate') || cursor.accept('charset')) {
    cursor.name()
    return true
  }
  return cursor.acceptOne(['unsigned', 'null', 'unique', 'binary']) !== undefined
}
