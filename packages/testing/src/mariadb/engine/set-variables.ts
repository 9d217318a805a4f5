import type { Assignment } from '../sql/statement.ts'
import type { Answer } from '../wire/answer.ts'
import type { Value } from '../wire/value.ts'
import { refusals } from './refusals.ts'
import { done, type Run } from './run.ts'
import { valueOutside } from './statement-scope.ts'
import { commit } from './work.ts'

/** Sets variables of the session, the server or the user. */
export async function setVariables(run: Run, assignments: readonly Assignment[]): Promise<Answer> {
  for (const assignment of assignments) await assign(run, assignment)
  return done(run)
}

/** The values of variables that hold only for one statement. */
export function valuesFor(run: Run, assignments: readonly Assignment[]): ReadonlyMap<string, Value> {
  const values = assignments.map(({ name, value }): readonly [string, Value] => {
    if (run.session.server.variable(name) === undefined) throw refusals.unknownVariable(name)
    return [name, value === undefined ? null : normal(valueOutside(run, value))]
  })
  return new Map(values)
}

async function assign(run: Run, { scope, name, value: expression }: Assignment): Promise<void> {
  const { session } = run
  const value = expression === undefined ? undefined : valueOutside(run, expression)
  if (scope === 'user') {
    session.userVariables.set(name, value ?? null)
    return
  }
  if (session.server.variable(name) === undefined) throw refusals.unknownVariable(name)
  const set = value === undefined ? undefined : switches(session.server.variable(name), normal(value))
  if (scope === 'global') session.server.setVariable(name, set ?? null)
  else session.setVariable(name, set)
  // Who switches it on commits what is open.
  if (name === 'autocommit' && set === 'ON') await commit(session)
}

function normal(value: Value): Value {
  return typeof value === 'string' && /^(on|off)$/i.test(value) ? value.toUpperCase() : value
}

// What is ON or OFF may be set as 1 or 0.
function switches(usual: Value | undefined, value: Value): Value {
  if (usual !== 'ON' && usual !== 'OFF') return value
  if (value === 1 || value === '1') return 'ON'
  return value === 0 || value === '0' ? 'OFF' : value
}
