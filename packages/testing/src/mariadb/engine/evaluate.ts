import type { Call, Expression, Variable } from '../sql/expression.ts'
import type { Row, Value } from '../wire/value.ts'
import { compare, isLike, isTrue, numberOf } from './compare.ts'
import { refusals } from './refusals.ts'

/** A part of a statement, in the words of the server. */
export type Place = 'SELECT' | 'WHERE' | 'SET' | 'ORDER BY' | 'INSERT INTO'

/** What an expression is evaluated in. */
export interface Scope {
  readonly parameters: Row
  /** The part of the statement, for the words of a refusal. */
  readonly place: Place
  /** The value of a column, or undefined when there is none of that name. */
  readonly column: (name: string) => Value | undefined
  readonly variable: (variable: Variable) => Value
  readonly call: (call: Call, scope: Scope) => Value
}

/** The value of an expression. */
export function evaluate(expression: Expression, scope: Scope): Value {
  switch (expression.kind) {
    case 'literal':
      return expression.value
    case 'parameter':
      return scope.parameters[expression.index] ?? null
    case 'column':
      return columnOf(expression.name, scope)
    case 'variable':
      return scope.variable(expression)
    case 'call':
      return scope.call(expression, scope)
    case 'binary':
      return operate(expression.operator, evaluate(expression.left, scope), evaluate(expression.right, scope))
    case 'not':
      return not(evaluate(expression.of, scope))
    case 'negative':
      return operate('-', 0, evaluate(expression.of, scope))
    case 'is-null':
      return evaluate(expression.of, scope) === null ? 1 : 0
    case 'in':
      return isIn(
        evaluate(expression.of, scope),
        expression.list.map((each) => evaluate(each, scope)),
      )
    case 'like':
      return like(evaluate(expression.of, scope), evaluate(expression.pattern, scope))
  }
}

function columnOf(name: string, scope: Scope): Value {
  const value = scope.column(name)
  if (value === undefined) throw refusals.unknownColumn(name, scope.place)
  return value
}

function not(value: Value): Value {
  return value === null ? null : truth(!isTrue(value))
}

function isIn(value: Value, list: readonly Value[]): Value {
  const orders = list.map((each) => compare(value, each))
  if (orders.includes(0)) return 1
  return orders.includes(undefined) ? null : 0
}

function like(value: Value, pattern: Value): Value {
  return value === null || pattern === null ? null : truth(isLike(String(value), String(pattern)))
}

function truth(is: boolean): Value {
  return is ? 1 : 0
}

function operate(operator: string, left: Value, right: Value): Value {
  switch (operator) {
    case 'and':
      return and(left, right)
    case 'or':
      return not(and(not(left), not(right)))
    case '<=>':
      return truth(left === null || right === null ? left === right : compare(left, right) === 0)
    default:
      return operator in comparisons ? compared(operator, left, right) : calculated(operator, left, right)
  }
}

function and(left: Value, right: Value): Value {
  const isFalse = [left, right].some((each) => each !== null && !isTrue(each))
  if (isFalse) return 0
  return left === null || right === null ? null : 1
}

const comparisons: Readonly<Record<string, (order: number) => boolean>> = {
  '=': (order) => order === 0,
  '<>': (order) => order !== 0,
  '!=': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
}

function compared(operator: string, left: Value, right: Value): Value {
  const order = compare(left, right)
  return order === undefined ? null : truth(comparisons[operator]?.(order) === true)
}

function calculated(operator: string, left: Value, right: Value): Value {
  if (left === null || right === null) return null
  const [a, b] = [numberOf(left), numberOf(right)]
  if (operator === '/') return Number(b) === 0 ? null : Number(a) / Number(b)
  if (operator === '%' && Number(b) === 0) return null
  const exact = Number.isInteger(Number(a)) && Number.isInteger(Number(b))
  return exact
    ? narrow(wholeNumbers(operator, BigInt(a), BigInt(b)))
    : fractions(operator, Number(a), Number(b))
}

function wholeNumbers(operator: string, a: bigint, b: bigint): bigint {
  if (operator === '+') return a + b
  if (operator === '-') return a - b
  return operator === '*' ? a * b : a % b
}

function fractions(operator: string, a: number, b: number): number {
  if (operator === '+') return a + b
  if (operator === '-') return a - b
  return operator === '*' ? a * b : a % b
}

function narrow(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}
