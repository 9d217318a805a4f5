import { HaError, type HaErrorDetails } from '@ha/core'
import type { MariadbCode } from './codes.ts'

export interface MariadbErrorDetails extends HaErrorDetails {
  /** The server's number of the error, such as 1062. */
  readonly errno?: number | undefined
  /** Of a protected transaction: what `resolve()` is asked with. */
  readonly token?: string | undefined
}

/**
 * An {@link HaError} with what people of MariaDB look for: `errno`, and `sqlState` as a Java driver would give it:
 * 08001 no server, 08S01 lost and not done, 25S03 transaction rolled back, 40001 conflict, 08007 unknown.
 */
export class MariadbError extends HaError<MariadbCode> {
  readonly errno: number | undefined
  readonly token: string | undefined

  constructor(code: MariadbCode, message: string, details: MariadbErrorDetails = {}) {
    super(code, message, details)
    this.name = 'MariadbError'
    this.errno = details.errno
    this.token = details.token
  }

  /** The SQLSTATE: the server's own where it gave one. */
  get sqlState(): string {
    return typeof this.serverCode === 'string' ? this.serverCode : sqlStateOf(this.code, this.outcome)
  }
}

const states: Partial<Record<MariadbCode, string>> = {
  unreachable: '08001',
  exhausted: '08001',
  'no-primary-component': '08001',
  closed: '08003',
  lost: '08S01',
  unresponsive: '08S01',
  'retry-budget-exhausted': '08S01',
  'duplicate-key': '23000',
  'transaction-over': '25000',
  'read-only': '25006',
  refused: '28000',
  conflict: '40001',
  'ledger-missing': '42S02',
  'timed-out': '70100',
  aborted: '70100',
}

// What has no word of its own in SQL: a general error.
const general = 'HY000'

function sqlStateOf(code: MariadbCode, outcome: HaError['outcome']): string {
  if (outcome === 'unknown') return '08007'
  return states[code] ?? general
}
