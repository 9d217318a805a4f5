import type { ColumnDefinition, TableDefinition } from '../engine/store.ts'
import type { ColumnType } from '../wire/answers.ts'
import {
  type AwaitedOperand,
  awaitedOperandOf,
  constant,
  type Operand,
  operandOf,
  required,
} from './operands.ts'
import { NoMatchingShape, sourceTextOf, splitAtCommas, type Template } from './template.ts'

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
export interface VariableAssignment {
  readonly scope: 'session' | 'global' | 'user'
  readonly name: string
  /** Undefined: the default. */
  readonly operand: Operand | undefined
}

/** The clauses of a statement, by the names that its pattern gives them; empty when the statement has none. */
export interface Clauses {
  readonly table: TableName
  readonly items: readonly Item[]
  readonly conditions: readonly Condition[]
  readonly assignments: readonly Assignment[]
  readonly settings: readonly VariableAssignment[]
  readonly rows: readonly (readonly Operand[])[]
  readonly definition: TableDefinition
  readonly value: Operand | undefined
  /** A clause that is a name, or a list of names. */
  readonly text: (name: string) => string
  /** Whether an optional keyword is present. */
  readonly has: (keyword: string) => boolean
}

/** Reads the clauses that a pattern has captured; throws {@link NoMatchingShape} at one that the fake server does not know. */
export function readClauses(
  template: Template,
  captured: Readonly<Record<string, string | undefined>>,
): Clauses {
  const text = (name: string): string => captured[name] ?? ''
  const list = <T>(name: string, read: (part: string, template: Template) => T): readonly T[] =>
    text(name) === '' ? [] : splitAtCommas(text(name)).map((part) => read(part, template))
  const conditions = text('conditions') === '' ? [] : text('conditions').split(/ AND /i)
  return {
    table: tableNameOf(text('table')),
    items: list('items', itemOf),
    conditions: conditions.map((part) => conditionOf(part, template)),
    assignments: list('assignments', assignmentOf),
    settings: list('settings', settingOf),
    rows: list('rows', rowOf),
    definition: tableDefinitionOf(list('definitions', definitionOf)),
    value: text('value') === '' ? undefined : required(text('value'), template),
    text,
    has: (keyword) => captured[keyword.replaceAll(' ', '_')] !== undefined,
  }
}

function tableNameOf(text: string): TableName {
  const [first = '', second] = text.split('.')
  return second === undefined ? { schema: undefined, name: first } : { schema: first, name: second }
}

function itemOf(text: string, template: Template): Item {
  if (text === '*') return { kind: 'all' }
  const [, source = '', alias] = /^(.+?)(?: AS (\w+))?$/i.exec(text) ?? []
  const [, fold, folded] = /^(COUNT|SUM|MIN|MAX)\((\*|\w+)\)$/i.exec(source) ?? []
  // Without an alias a column has the name that the client wrote.
  const name = alias ?? sourceTextOf(template, source)
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
  if (column === undefined) throw new NoMatchingShape(text)
  return { kind: 'column', name: alias ?? column, column }
}

function aggregateOf(text: string): AggregateFunction {
  const name = text.toLowerCase()
  return name === 'count' || name === 'sum' || name === 'min' ? name : 'max'
}

const operators = ['=', '<>', '!=', '<', '<=', '>', '>='] as const

function conditionOf(text: string, template: Template): Condition {
  const [, listed, list] = /^(?:\w+\.)?(\w+) IN\((.+)\)$/i.exec(text) ?? []
  if (listed !== undefined && list !== undefined) {
    return {
      column: listed,
      operator: '=',
      values: splitAtCommas(list).map((each) => required(each, template)),
    }
  }
  const [, column, sign, value] = /^(?:\w+\.)?(\w+) ?([=<>!]+)(.+)$/.exec(text) ?? []
  const operator = operators.find((each) => each === sign)
  if (column === undefined || operator === undefined || value === undefined) throw new NoMatchingShape(text)
  return { column, operator, values: [required(value, template)] }
}

function assignmentOf(text: string, template: Template): Assignment {
  const [, column, value] = /^(\w+)=(.+)$/.exec(text) ?? []
  if (column === undefined || value === undefined) throw new NoMatchingShape(text)
  const [, inserted] = /^VALUES\((\w+)\)$/i.exec(value) ?? []
  if (inserted !== undefined)
    return { column, operand: undefined, base: { column: inserted, isInserted: true, sign: 1 } }
  const operand = operandOf(value, template)
  if (operand !== undefined) return { column, operand, base: undefined }
  const [, base, sign, change] = /^(\w+)(?: ?([+-]) ?(.+))?$/.exec(value) ?? []
  if (base === undefined) throw new NoMatchingShape(text)
  return {
    column,
    operand: change === undefined ? undefined : required(change, template),
    base: { column: base, isInserted: false, sign: sign === '-' ? -1 : 1 },
  }
}

function rowOf(text: string, template: Template): readonly Operand[] {
  const [, values] = /^\((.+)\)$/.exec(text) ?? []
  if (values === undefined) throw new NoMatchingShape(text)
  return splitAtCommas(values).map((value) => required(value, template))
}

const settingPattern = /^(?:(GLOBAL|SESSION|LOCAL) |@@(?:(GLOBAL|SESSION|LOCAL)\.)?|(@))?([\w$]+)=(.+)$/i

function settingOf(text: string, template: Template): VariableAssignment {
  const [, keyword, prefix, isUser, written, value] = settingPattern.exec(text) ?? []
  if (written === undefined || value === undefined) throw new NoMatchingShape(text)
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
  if (!/^\w+$/.test(value)) throw new NoMatchingShape(value)
  return constant(value)
}

/** A column, or the names of the primary key; keys other than the primary one have no effect. */
interface DefinitionPart {
  readonly column: ColumnDefinition | undefined
  readonly primaryKey: readonly string[]
}

function tableDefinitionOf(parts: readonly DefinitionPart[]): TableDefinition {
  return {
    columns: parts.flatMap(({ column }) => column ?? []),
    primaryKey: parts.flatMap(({ primaryKey }) => primaryKey),
  }
}

function definitionOf(text: string, template: Template): DefinitionPart {
  const [, isPrimary, names] = /^(?:(PRIMARY KEY)|KEY|INDEX)(?: \w+)?\(([\w,]+)\)$/i.exec(text) ?? []
  if (names !== undefined)
    return { column: undefined, primaryKey: isPrimary === undefined ? [] : names.split(',') }
  const column = columnOf(text, template)
  return { column, primaryKey: / PRIMARY KEY\b/i.test(text) ? [column.name] : [] }
}

const defaultPattern = / DEFAULT (-?:\d+|NULL|TRUE|FALSE|CURRENT_TIMESTAMP(?:\(:\d+\))?)/i
const attributes =
  / (?:PRIMARY KEY|NOT NULL|NULL|AUTO_INCREMENT|UNSIGNED|UNIQUE|BINARY|CHARACTER SET \w+|CHARSET \w+|COLLATE \w+)\b/gi

function columnOf(text: string, template: Template): ColumnDefinition {
  const [, name, typeName = '', rest = ''] = /^(\w+) (\w+)(?:\([^)]*\))?( .+)?$/.exec(text) ?? []
  const type = columnTypes[typeName.toLowerCase()]
  const [written = '', value] = defaultPattern.exec(rest) ?? []
  const isUnknown = rest.replace(written, '').replaceAll(attributes, '') !== ''
  if (name === undefined || type === undefined || isUnknown) throw new NoMatchingShape(text)
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
  ...named('int', 'tinyint smallint int integer boolean'),
  ...named('bigint', 'bigint'),
  ...named('double', 'double float'),
  ...named('decimal', 'decimal'),
  ...named('text', 'char varchar text longtext json enum uuid'),
  ...named('blob', 'binary varbinary blob longblob'),
  ...named('datetime', 'date datetime timestamp'),
}

function named(type: ColumnType, names: string): Readonly<Record<string, ColumnType>> {
  return Object.fromEntries(names.split(' ').map((name) => [name, type]))
}
