import type { Expression } from '../sql/expression.ts'
import type { ColumnType } from '../wire/column.ts'
import type { Value } from '../wire/value.ts'
import type { Source } from './source.ts'

/** Of what an expression is made. */
export interface TypeScope {
  readonly source: Source | undefined
  /** The value of an expression that depends on no row. */
  readonly valueOf: (expression: Expression) => Value
}

/** The type that the server gives to a column that is computed. */
export function typeOf(expression: Expression, scope: TypeScope): ColumnType {
  switch (expression.kind) {
    case 'literal':
      return literalType(expression.value)
    case 'parameter':
      return literalType(scope.valueOf(expression))
    case 'variable':
      return variableType(scope.valueOf(expression))
    case 'column':
      return columnType(expression.name, scope)
    case 'call':
      return callType(expression.name, expression.args, scope)
    case 'binary':
      return binaryType(expression.operator, [expression.left, expression.right], scope)
    case 'negative':
      return typeOf(expression.of, scope)
    case 'not':
    case 'is-null':
    case 'in':
    case 'like':
      return 'int'
  }
}

// From here on a number does not fit into an INT.
const firstBigint = 2_147_483_648

function literalType(value: Value): ColumnType {
  if (value === null) return 'null'
  if (typeof value === 'bigint') return 'bigint'
  if (typeof value === 'string') return 'text'
  if (typeof value !== 'number') return 'blob'
  if (!Number.isInteger(value)) return 'decimal'
  return Math.abs(value) < firstBigint ? 'int' : 'bigint'
}

function variableType(value: Value): ColumnType {
  const type = literalType(value)
  return type === 'int' ? 'bigint' : type
}

function columnType(name: string, { source }: TypeScope): ColumnType {
  const wanted = name.toLowerCase()
  return source?.columns.find((column) => column.name.toLowerCase() === wanted)?.type ?? 'text'
}

const callTypes: Readonly<Record<string, ColumnType>> = {
  '+interval': 'datetime',
  '-interval': 'datetime',
  connection_id: 'bigint',
  count: 'bigint',
  last_insert_id: 'bigint',
  length: 'int',
  master_gtid_wait: 'int',
  mod: 'int',
  now: 'datetime',
  sleep: 'int',
  wsrep_last_seen_gtid: 'binary',
  wsrep_last_written_gtid: 'binary',
  wsrep_sync_wait_upto_gtid: 'char',
}

const likeTheirArguments: readonly string[] = ['coalesce', 'ifnull', 'max', 'min', 'values']

function callType(name: string, args: readonly Expression[], scope: TypeScope): ColumnType {
  const types = args.map((arg) => typeOf(arg, scope))
  if (name === 'sum') return types.includes('double') ? 'double' : 'decimal'
  if (likeTheirArguments.includes(name)) return types.find((type) => type !== 'null') ?? 'null'
  return callTypes[name] ?? 'text'
}

const arithmetic: readonly string[] = ['+', '-', '*', '%']

function binaryType(operator: string, sides: readonly Expression[], scope: TypeScope): ColumnType {
  const types = sides.map((side) => typeOf(side, scope))
  if (operator === '/') return types.includes('double') ? 'double' : 'decimal'
  if (!arithmetic.includes(operator)) return 'int'
  const wide = (['double', 'decimal', 'bigint'] as const).find((type) => types.includes(type))
  return wide ?? (sides.every((side) => side.kind === 'literal') ? 'int' : 'bigint')
}
