import type { MariadbConnection } from '../driver/connection.ts'
import { DriverError } from '../driver/driver-error.ts'
import type { LedgerKind, LedgerTable } from './ledger-table.ts'

/** What became of a transaction. */
export type Fate = 'committed' | 'rolled-back'

/**
 * Decides the fate of the transaction with this token, on a server that takes writes. Its mark says committed. When
 * there is none, a fence is written in its place: from then on the transaction can never commit, wherever it still
 * hangs, because its mark would be a second row under the same key. May be repeated; 1205 and 1213 call for that.
 */
export async function decideFate(
  connection: MariadbConnection,
  table: LedgerTable,
  token: string,
): Promise<Fate> {
  const known = await look(connection, table, token)
  if (known !== undefined) return fateOf(known)
  try {
    await connection.run(table.write(token, 'fence'))
    return 'rolled-back'
  } catch (error) {
    if (!isDuplicate(error)) throw error
  }
  const first = await look(connection, table, token)
  // The row that was in the way is not to be seen yet: whoever asks again sees it.
  if (first === undefined) throw new DriverError('the ledger row is not to be seen yet', notYet)
  return fateOf(first)
}

/** Whether a statement failed because its key exists. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof DriverError && error.errno === 1062
}

// As if the server had asked to run it again: a conflict.
const notYet = { stage: 'answered', errno: 1213, sqlState: '40001' } as const

async function look(
  connection: MariadbConnection,
  table: LedgerTable,
  token: string,
): Promise<LedgerKind | undefined> {
  const answer = await connection.run(table.look(token))
  const kind = answer.kind === 'rows' ? answer.rows[0]?.['kind'] : undefined
  return kind === 'marker' || kind === 'fence' ? kind : undefined
}

function fateOf(kind: LedgerKind): Fate {
  return kind === 'marker' ? 'committed' : 'rolled-back'
}
