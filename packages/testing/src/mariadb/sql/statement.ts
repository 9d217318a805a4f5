import type { ColumnType } from '../wire/column.ts'
import type { Expression } from './expression.ts'

/** What the fake server understands. */
export type Statement =
  | Select
  | Insert
  | Update
  | Delete
  | CreateTable
  | { readonly kind: 'drop-table'; readonly table: TableName; readonly isLenient: boolean }
  | { readonly kind: 'truncate'; readonly table: TableName }
  | { readonly kind: 'create-schema'; readonly name: string; readonly isLenient: boolean }
  | { readonly kind: 'begin'; readonly access: Access | undefined }
  | { readonly kind: 'commit' | 'rollback' }
  | { readonly kind: 'savepoint' | 'rollback-to' | 'release'; readonly name: string }
  | { readonly kind: 'set'; readonly assignments: readonly Assignment[] }
  | { readonly kind: 'set-access'; readonly access: Access }
  | { readonly kind: 'use'; readonly schema: string }
  | Show
  | { readonly kind: 'show-warnings' | 'show-replica' }
  | { readonly kind: 'kill'; readonly what: 'connection' | 'query'; readonly id: Expression }

export type Access = 'read-only' | 'read-write'

export interface TableName {
  /** Undefined: the one in use. */
  readonly schema: string | undefined
  readonly name: string
}

export interface Select {
  readonly kind: 'select' | 'do'
  readonly items: readonly SelectItem[]
  readonly from: TableName | undefined
  readonly where: Expression | undefined
  readonly orderBy: readonly { readonly by: Expression; readonly isDescending: boolean }[]
  readonly limit: Expression | undefined
  /** `FOR UPDATE` or `LOCK IN SHARE MODE`: the locks of its rows that it takes. */
  readonly lock: 'update' | 'share' | undefined
}

export type SelectItem =
  | { readonly kind: 'all' }
  | { readonly kind: 'one'; readonly name: string; readonly value: Expression }

export interface Insert {
  readonly kind: 'insert'
  readonly table: TableName
  /** Undefined: all of them, in order. */
  readonly columns: readonly string[] | undefined
  readonly rows: readonly (readonly Expression[])[]
  readonly onDuplicate: 'refuse' | 'ignore' | readonly ColumnValue[]
}

export interface Update {
  readonly kind: 'update'
  readonly table: TableName
  readonly values: readonly ColumnValue[]
  readonly where: Expression | undefined
}

export interface Delete {
  readonly kind: 'delete'
  readonly table: TableName
  readonly where: Expression | undefined
}

export interface ColumnValue {
  readonly column: string
  readonly value: Expression
}

export interface CreateTable {
  readonly kind: 'create-table'
  readonly table: TableName
  readonly isLenient: boolean
  readonly columns: readonly ColumnDefinition[]
  readonly primaryKey: readonly string[]
}

export interface ColumnDefinition {
  readonly name: string
  readonly type: ColumnType
  readonly isNullable: boolean
  readonly isAutoIncrement: boolean
  readonly default: Expression | undefined
}

export interface Assignment {
  readonly scope: 'session' | 'global' | 'user'
  readonly name: string
  /** Undefined: the default. */
  readonly value: Expression | undefined
}

export interface Show {
  readonly kind: 'show'
  readonly what: 'status' | 'variables'
  readonly where: Expression | undefined
}
