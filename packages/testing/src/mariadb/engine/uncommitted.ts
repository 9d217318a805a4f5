import type { Expression } from '../sql/expression.ts'
import type { Row } from '../wire/value.ts'
import { keyLookedFor } from './key-lookup.ts'
import type { Run } from './run.ts'
import type { Server } from './server.ts'
import type { Source } from './source.ts'
import { scopeOf } from './statement-scope.ts'
import type { Table } from './table.ts'

/**
 * The rows of a table as they would be if everything that is open on a server were committed: what READ UNCOMMITTED
 * reads, and what locks are asked for.
 */
export function uncommittedRows(run: Run, table: Table, where: Expression | undefined): Source {
  const { server } = run.session
  const open = openRows(server, table)
  const wanted = where === undefined ? undefined : keyLookedFor(table, where, scopeOf(run))
  const keys = wanted === undefined ? new Set([...table.keys(), ...open.keys()]) : [wanted]
  const rows: (readonly [string, Row])[] = []
  for (const key of keys) {
    const row = open.has(key) ? open.get(key) : table.at(key, server.applier.applied)
    if (row !== undefined) rows.push([key, row])
  }
  return { name: table.name, columns: table.columns, rows }
}

// A row is changed by one open transaction at the most: the one that holds its lock.
function openRows(server: Server, table: Table): ReadonlyMap<string, Row | undefined> {
  const open = new Map<string, Row | undefined>()
  for (const { transaction } of server.sessions) {
    for (const [key, row] of transaction?.changes.get(table) ?? []) open.set(key, row)
  }
  return open
}
