import type { Statement } from '../driver/statement.ts'
import { isolationInSql } from '../options/isolation.ts'
import type { Isolation } from '../options/resolved.ts'

/** The statements that open a transaction. */
export function beginStatements(order: {
  readonly isolation: Isolation | undefined
  readonly readOnly: boolean
}): readonly Statement[] {
  const { isolation, readOnly } = order
  // SET TRANSACTION holds for the next transaction only: nothing of it is left for the next borrower.
  const level =
    isolation === undefined ? [] : [`SET TRANSACTION ISOLATION LEVEL ${isolationInSql(isolation)}`]
  const begin = readOnly ? 'START TRANSACTION READ ONLY' : 'START TRANSACTION'
  return [...level, begin].map((sql) => ({ kind: 'text', sql }))
}
