import type { Call, Expression, Variable } from '../sql/expression.ts'
import type { Row, Value } from '../wire/value.ts'
import type { Scope } from './evaluate.ts'
import { evaluate } from './evaluate.ts'
import { callFunction } from './functions.ts'
import { refusals } from './refusals.ts'
import type { Run } from './run.ts'
import { globalOnly } from './variables.ts'

/** What the expressions of a statement see outside any row. */
export function scopeOf(run: Run, awaited: ReadonlyMap<Call, Value> = new Map()): Scope {
  return {
    place: 'SELECT',
    parameters: run.parameters,
    column: () => undefined,
    variable: (variable) => variableIn(run, variable),
    call: (call, scope) => awaited.get(call) ?? callFunction(call, scope, run.session),
  }
}

/** What an expression sees in a row. */
export function rowScope(outside: Scope, columns: readonly { readonly name: string }[], row: Row): Scope {
  return {
    ...outside,
    column: (name) => {
      const wanted = name.toLowerCase()
      const index = columns.findIndex((column) => column.name.toLowerCase() === wanted)
      return index < 0 ? undefined : (row[index] ?? null)
    },
  }
}

/** The value of an expression outside any row. */
export function valueOutside(run: Run, expression: Expression): Value {
  return evaluate(expression, scopeOf(run))
}

function variableIn({ session }: Run, { scope, name }: Variable): Value {
  if (scope === 'user') return session.userVariables.get(name) ?? null
  const isOfServer = scope === 'global' || globalOnly.includes(name)
  const value = isOfServer ? session.server.variable(name) : session.variable(name)
  if (value === undefined) throw refusals.unknownVariable(name)
  // `@@x` says 1 and 0 where `SHOW VARIABLES` says ON and OFF.
  if (value === 'ON') return 1
  return value === 'OFF' ? 0 : value
}
