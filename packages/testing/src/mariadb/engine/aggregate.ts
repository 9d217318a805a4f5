import { type Call, callsIn, type Expression } from '../sql/expression.ts'
import type { Value } from '../wire/value.ts'
import { compare, numberOf } from './compare.ts'
import { evaluate, type Scope } from './evaluate.ts'

/** Whether an expression counts or sums over rows. */
export function isAggregate(expression: Expression): boolean {
  let found = false
  callsIn(expression, (call) => {
    found ||= call.name in aggregates
  })
  return found
}

/** The value of an expression over all these rows. */
export function aggregate(expression: Expression, rows: readonly Scope[], outside: Scope): Value {
  const call = (each: Call, scope: Scope): Value => {
    const fold = aggregates[each.name]
    if (fold === undefined) return outside.call(each, scope)
    const [arg] = each.args
    if (arg === undefined) return rows.length
    return fold(rows.map((row) => evaluate(arg, row)).filter((value) => value !== null))
  }
  return evaluate(expression, { ...(rows[0] ?? outside), call })
}

type Present = Exclude<Value, null>

const aggregates: Readonly<Record<string, (values: readonly Present[]) => Value>> = {
  count: (values) => values.length,
  sum: (values) => (values.length === 0 ? null : values.map(numberOf).reduce(add)),
  min: (values) => extreme(values, -1),
  max: (values) => extreme(values, 1),
}

function add(a: number | bigint, b: number | bigint): number | bigint {
  return typeof a === 'bigint' || typeof b === 'bigint' ? BigInt(a) + BigInt(b) : a + b
}

function extreme(values: readonly Present[], sign: number): Value {
  return values.reduce<Value>((best, value) => {
    if (best === null) return value
    return (compare(value, best) ?? 0) * sign > 0 ? value : best
  }, null)
}
