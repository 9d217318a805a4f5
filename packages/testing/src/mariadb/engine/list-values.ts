import type { Show } from '../sql/statement.ts'
import type { Answer } from '../wire/answer.ts'
import type { Column } from '../wire/column.ts'
import { isTrue } from './compare.ts'
import { evaluate } from './evaluate.ts'
import type { Values } from './membership.ts'
import type { Run } from './run.ts'
import { sessionVariables, valuesAsRows } from './source.ts'
import { rowScope, scopeOf } from './statement-scope.ts'

/** Answers `SHOW STATUS` and `SHOW VARIABLES`. */
export function listValues(run: Run, { what, where }: Show): Answer {
  const { server } = run.session
  const values = what === 'status' ? capitalized(server.statusValues) : sessionVariables(run.session)
  const source = valuesAsRows(values, ['Variable_name', 'Value'])
  const outside = scopeOf(run)
  const rows = [...source.rows].map(([, row]) => row)
  const chosen = rows.filter(
    (row) => where === undefined || isTrue(evaluate(where, rowScope(outside, source.columns, row))),
  )
  return { kind: 'rows', columns: source.columns, rows: chosen }
}

/** Answers `SHOW REPLICA STATUS`: one row on a node that follows another one. */
export function listReplica(run: Run): Answer {
  const values = run.session.server.membership.replica() ?? {}
  const columns = Object.entries(values).map(
    ([name, value]): Column => ({ name, type: typeof value === 'string' ? 'text' : 'bigint' }),
  )
  const isReplica = columns.length > 0
  return {
    kind: 'rows',
    columns: isReplica ? columns : [{ name: 'Slave_IO_State', type: 'text' }],
    rows: isReplica ? [Object.values(values)] : [],
  }
}

// The server's own status begins with a capital, the provider's does not.
function capitalized(values: Values): Values {
  const name = (each: string): string =>
    each.startsWith('wsrep_') ? each : each.charAt(0).toUpperCase() + each.slice(1)
  return Object.fromEntries(Object.entries(values).map(([each, value]) => [name(each), value]))
}
