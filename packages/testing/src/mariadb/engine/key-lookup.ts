import type { Expression } from '../sql/expression.ts'
import type { Value } from '../wire/value.ts'
import { coerced } from './coerce.ts'
import { evaluate, type Scope } from './evaluate.ts'
import { keyOf } from './key.ts'
import type { Table } from './table.ts'

/** The key that a condition asks for, when it names the whole primary key: then one row is enough to look at. */
export function keyLookedFor(table: Table, where: Expression, scope: Scope): string | undefined {
  if (table.primaryKey.length === 0) return undefined
  const asked = new Map<number, Value>()
  for (const { column, value } of equalities(where)) {
    const index = table.indexOf(column)
    const definition = table.columns[index]
    if (definition !== undefined) asked.set(index, coerced(evaluate(value, scope), definition.type))
  }
  const parts = table.primaryKey.map((index) => asked.get(index))
  const known = parts.filter((part) => part !== undefined)
  return known.length === parts.length ? keyOf(known) : undefined
}

interface Equality {
  readonly column: string
  readonly value: Expression
}

function equalities(where: Expression): readonly Equality[] {
  if (where.kind !== 'binary') return []
  const { operator, left, right } = where
  if (operator === 'and') return [...equalities(left), ...equalities(right)]
  if (operator !== '=') return []
  if (left.kind === 'column' && isConstant(right)) return [{ column: left.name, value: right }]
  return right.kind === 'column' && isConstant(left) ? [{ column: right.name, value: left }] : []
}

function isConstant({ kind }: Expression): boolean {
  return kind === 'literal' || kind === 'parameter'
}
