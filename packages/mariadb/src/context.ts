import type { Budget, Clock, Pool } from '@ha/core'
import type { TransactionOutcome } from './commit-log.ts'
import type { MariadbConnection } from './driver/connection.ts'
import type { MariadbStatus } from './driver/server-status.ts'
import type { MariadbError } from './errors.ts'
import type { ReadYourWrites } from './read-your-writes.ts'
import type { Router } from './routing/router.ts'
import type { CurrentLease } from './statement/operation-runner.ts'
import type { StatementKiller } from './statement/statement-killer.ts'

/** The dependencies that every operation of one client shares. */
export interface ClientContext {
  readonly pool: Pool<MariadbConnection, MariadbStatus>
  readonly router: Router
  readonly clock: Clock
  readonly random: () => number
  /** The longest wait for a connection. */
  readonly acquireTimeoutMs: number
  /** Shared by all operations, so that retries do not multiply the load during an outage. */
  readonly retryBudget: Budget
  /** The lease that the caller already holds inside a transaction or session. */
  readonly currentLease: CurrentLease
  readonly readYourWrites: ReadYourWrites
  readonly outcomes: OutcomeReporter
  /** Ends statements at the server whose callers have given up. */
  readonly killer: StatementKiller
}

/** Receives the outcomes that a call could not establish by itself. */
export interface OutcomeReporter {
  /** Reports a call that ended with an unknown outcome. */
  reportUnknownOutcome(name: string, error: MariadbError): void
  /** Emits a warning; the same text only once. */
  warn(text: string): void
  /** Reports the outcome that the commit log holds for a transaction. */
  reportResolvedOutcome(token: string, outcome: TransactionOutcome): void
}
