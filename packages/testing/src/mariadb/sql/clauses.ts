import type { ColumnDefinition, TableDefinition } from '../engine/store.ts'
import type { ColumnType } from '../wire/column.ts'
import {
  type AwaitedOperand,
  awaitedOperandOf,
  constant,
  type Operand,
  operandOf,
  required,
} from './operands.ts'
import { NoShape, partsOf, type Template, writtenIn } from './template.ts'

export interface TableName {
  /** Undefined: the schema in use. */
  readonly schema: string | undefined
  readonly name: string
}

/** What a `SELECT` shows in one column, or in all of them. */
export type Item =
  | { readonly kind: 'all' }
  | { readonly kind: 'column'; readonly name: string; readonly column: string }
  | {
      readonly kind: 'aggregate'
      readonly name: string
      readonly function: AggregateFunction
      /** Undefined: `COUNT(*)`. */
      readonly column: string | undefined
    }
  | { readonly kind: 'value'; readonly name: string; readonly operand: AwaitedOperand }

export type AggregateFunction = 'count' | 'sum' | 'min' | 'max'

/** A test of one column; `WHERE` is a list of them. A row fits when one of the values passes. */
export interface Condition {
  readonly column: string
  readonly operator: '=' | '<>' | '!=' | '<' | '<=' | '>' | '>='
  readonly values: readonly Operand[]
}

/** A new value of a column: an operand, or a column plus or minus one. */
export interface Assignment {
  readonly column: string
  readonly operand: Operand | undefined
  readonly base: { readonly column: string; readonly isInserted: boolean; readonly sign: 1 | -1 } | undefined
}

/** A variable and its new value. */
export interface Setting {
  readonly scope: 'session' | 'global' | 'user'
  readonly name: string
  /** Undefined: the default. */
  readonly operand: Operand | undefined
}

/** Reads `t` or `s.t`. */
export function tableNameOf(text: string): TableName {
  const [first = '', second] = text.split('.')
  return second === undefined ? { schema: undefined, name: first } : { schema: first, name: second }
}

/** Reads what a `SELECT` shows. */
export function itemsOf(text: string, template: Template): readonly Item[] {
  return partsOf(text).map((part) => itemOf(part, template))
}

function itemOf(text: string, template: Template): Item {
  if (text === '*') return { kind: 'all' }
  const [, source = '', alias] = /^(.+?)(?: AS (\w+))?$/i.exec(text) ?? []
  const [, fold, folded] = /^(COUNT|SUM|MIN|MAX)\((\*|\w+)\)$/i.exec(source) ?? []
  // Without an alias a column has the name that the client wrote.
  const name = alias ?? writtenIn(template, source)
  if (fold !== undefined) {
    return {
      kind: 'aggregate',
      name,
      function: aggregateOf(fold),
      column: folded === '*' ? undefined : folded,
    }
  }
  const operand = awaitedOperandOf(source, template)
  if (operand !== undefined) return { kind: 'value', name, operand }
  const [, column] = /^(?:\w+\.)?(\w+)$/.exec(source) ?? []
  if (column === undefined) throw new NoShape(text)
  return { kind: 'column', name: alias ?? column, column }
}

function aggregateOf(text: string): AggregateFunction {
  const name = text.toLowerCase()
  return name === 'count' || name === 'sum' || name === 'min' ? name : 'max'
}

/** Reads the conditions of a `WHERE`, which are joined by `AND`. */
export function conditionsOf(text: string, template: Template): readonly Condition[] {
  return text === '' ? [] : text.split(/ AND /i).map((part) => conditionOf(part, template))
}

const operators = ['=', '<>', '!=', '<', '<=', '>', '>='] as const

function conditionOf(text: string, template: Template): Condition {
  const [, listed, list] = /^(?:\w+\.)?(\w+) IN\((.+)\)$/i.exec(text) ?? []
  if (listed !== undefined && list !== undefined) {
    return { column: listed, operator: '=', values: partsOf(list).map((each) => required(each, template)) }
  }
  const [, column, sign, value] = /^(?:\w+\.)?(\w+) ?([=<>!]+)(.+)$/.exec(text) ?? []
  const operator = operators.find((each) => each === sign)
  if (column === undefined || operator === undefined || value === undefined) throw new NoShape(text)
  return { column, operator, values: [required(value, template)] }
}

/** Reads the assignments of `UPDATE` and of `ON DUPLICATE KEY UPDATE`. */
export function assignmentsOf(text: string, template: Template): readonly Assignment[] {
  return partsOf(text).map((part) => assignmentOf(part, template))
}

function assignmentOf(text: string, template: Template): Assignment {
  const [, column, value] = /^(\w+)=(.+)$/.exec(text) ?? []
  if (column === undefined || value === undefined) throw new NoShape(text)
  const [, inserted] = /^VALUES\((\w+)\)$/i.exec(value) ?? []
  if (inserted !== undefined)
    return { column, operand: undefined, base: { column: inserted, isInserted: true, sign: 1 } }
  const operand = operandOf(value, template)
  if (operand !== undefined) return { column, operand, base: undefined }
  const [, base, sign, change] = /^(\w+)(?: ?([+-]) ?(.+))?$/.exec(value) ?? []
  if (base === undefined) throw new NoShape(text)
  return {
    column,
    operand: change === undefined ? undefined : required(change, template),
    base: { column: base, isInserted: false, sign: sign === '-' ? -1 : 1 },
  }
}

/** Reads the rows of an `INSERT`: lists of values in parentheses. */
export function rowsOf(text: string, template: Template): readonly (readonly Operand[])[] {
  return partsOf(text).map((part) => {
    const [, values] = /^\((.+)\)$/.exec(part) ?? []
    if (values === undefined) throw new NoShape(part)
    return partsOf(values).map((value) => required(value, template))
  })
}

/** Reads the assignments of a `SET`. */
export function settingsOf(text: string, template: Template): readonly Setting[] {
  return partsOf(text).map((part) => settingOf(part, template))
}

const settingPattern = /^(?:(GLOBAL|SESSION|LOCAL) |@@(?:(GLOBAL|SESSION|LOCAL)\.)?|(@))?([\w$]+)=(.+)$/i

function settingOf(text: string, template: Template): Setting {
  const [, keyword, prefix, isUser, written, value] = settingPattern.exec(text) ?? []
  if (written === undefined || value === undefined) throw new NoShape(text)
  const name = written.toLowerCase()
  const operand = /^DEFAULT$/i.test(value) ? undefined : settingValue(value, template)
  if (isUser !== undefined) return { scope: 'user', name, operand }
  const isGlobal = (keyword ?? prefix)?.toUpperCase() === 'GLOBAL'
  return { scope: isGlobal ? 'global' : 'session', name, operand }
}

// `SET x = on` has a word where other statements have a text.
function settingValue(value: string, template: Template): Operand {
  const operand = operandOf(value, template)
  if (operand !== undefined) return operand
  if (!/^\w+$/.test(value)) throw new NoShape(value)
  return constant(value)
}

/** Reads the columns and keys of a `CREATE TABLE`. Keys other than the primary one have no effect. */
export function tableDefinitionOf(text: string, template: Template): TableDefinition {
  const columns: ColumnDefinition[] = []
  let primaryKey: readonly string[] = []
  for (const part of partsOf(text)) {
    const [, isPrimary, names] = /^(?:(PRIMARY KEY)|KEY|INDEX)(?: \w+)?\(([\w,]+)\)$/i.exec(part) ?? []
    if (names === undefined) {
      const column = columnOf(part, template)
      columns.push(column)
      if (/ PRIMARY KEY\b/i.test(part)) primaryKey = [column.name]
    } else if (isPrimary !== undefined) primaryKey = names.split(',')
  }
  return { columns, primaryKey }
}

const defaultPattern = / DEFAULT (-?:\d+|NULL|TRUE|FALSE|CURRENT_TIMESTAMP(?:\(:\d+\))?)/i
const attributes =
  / (?:PRIMARY KEY|NOT NULL|NULL|AUTO_INCREMENT|UNSIGNED|UNIQUE|BINARY|CHARACTER SET \w+|CHARSET \w+|COLLATE \w+)\b/gi

function columnOf(text: string, template: Template): ColumnDefinition {
  const [, name, typeName = '', rest = ''] = /^(\w+) (\w+)(?:\([^)]*\))?( .+)?$/.exec(text) ?? []
  const type = columnTypes[typeName.toLowerCase()]
  const [written = '', value] = defaultPattern.exec(rest) ?? []
  const isUnknown = rest.replace(written, '').replaceAll(attributes, '') !== ''
  if (name === undefined || type === undefined || isUnknown) throw new NoShape(text)
  const operand = value === undefined ? undefined : required(value, template)
  return {
    name,
    type,
    isNullable: !/ (?:NOT NULL|PRIMARY KEY)\b/i.test(rest),
    isAutoIncrement: / AUTO_INCREMENT\b/i.test(rest),
    default: operand && ((session) => operand.value({ session, parameters: [] })),
  }
}

const columnTypes: Readonly<Record<string, ColumnType>> = {
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
