import type { Value } from '../wire/value.ts'

/** Something that has a value. */
export type Expression =
  | { readonly kind: 'literal'; readonly value: Value }
  | { readonly kind: 'parameter'; readonly index: number }
  | { readonly kind: 'column'; readonly name: string }
  | Variable
  | Call
  | {
      readonly kind: 'binary'
      readonly operator: string
      readonly left: Expression
      readonly right: Expression
    }
  | { readonly kind: 'not' | 'negative'; readonly of: Expression }
  | { readonly kind: 'is-null'; readonly of: Expression }
  | { readonly kind: 'in'; readonly of: Expression; readonly list: readonly Expression[] }
  | { readonly kind: 'like'; readonly of: Expression; readonly pattern: Expression }

/** A variable of the session, of the server, or of the user. */
export interface Variable {
  readonly kind: 'variable'
  readonly scope: 'session' | 'global' | 'user'
  readonly name: string
}

/** A function with its arguments; `COUNT(*)` has none. */
export interface Call {
  readonly kind: 'call'
  readonly name: string
  readonly args: readonly Expression[]
}

/** Calls `visit` with every call in an expression. */
export function callsIn(expression: Expression, visit: (call: Call) => void): void {
  switch (expression.kind) {
    case 'call':
      visit(expression)
      for (const arg of expression.args) callsIn(arg, visit)
      return
    case 'binary':
      callsIn(expression.left, visit)
      callsIn(expression.right, visit)
      return
    case 'not':
    case 'negative':
    case 'is-null':
    case 'in':
    case 'like':
      callsIn(expression.of, visit)
      return
    case 'literal':
    case 'parameter':
    case 'column':
    case 'variable':
  }
}
