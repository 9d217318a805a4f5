import type { Verdict } from '@ha/core'
import { DriverError } from '../driver/driver-error.ts'
import { classify } from '../driver/verdicts.ts'

/** Where a transaction is. */
export type Phase =
  /** Statements are taken. */
  | { readonly kind: 'open' }
  /** The server has ended it, or the connection is gone: nothing of it will be committed. */
  | { readonly kind: 'doomed'; readonly error: Error }
  /** COMMIT is on its way: from here on only its answer, or the ledger, says what happened. */
  | { readonly kind: 'committing' }
  | { readonly kind: 'over' }

// Errors with which the server ends the whole transaction, or after which going on with it makes no sense: conflicts
// (1213, 1020 and, with innodb_rollback_on_timeout off, 1205, which undoes one statement only), a node without quorum
// (1047), a killed query or session (1317, 1927), a server that stops (1053), a writer that became read-only.
const ending: ReadonlySet<number | undefined> = new Set([
  1020, 1047, 1053, 1205, 1213, 1290, 1317, 1836, 1927,
])

/** Whether an error of a statement leaves nothing of its transaction to go on with. */
export function endsTransaction(error: unknown): boolean {
  if (!(error instanceof DriverError)) return true
  return error.stage === 'lost' || ending.has(error.errno)
}

// What a server answers to COMMIT when it has certainly not committed: a conflict found at certification, or a
// server that takes no writes. Any other answer, 1047 and 1180 among them, leaves it open.
const notCommitted: ReadonlySet<number | undefined> = new Set([1020, 1213, 1290, 1836])

/** What a COMMIT that failed means: unless the server says otherwise, it may have happened. */
export function commitVerdict(error: unknown): Verdict {
  const verdict = classify(error)
  const certain =
    error instanceof DriverError &&
    (error.stage === 'unsent' || (error.stage === 'answered' && notCommitted.has(error.errno)))
  return { ...verdict, effect: certain ? 'none' : 'unknown' }
}
