/** What became of one operation, as its caller was told. Times are milliseconds since 1970, of one machine. */
export interface NotedOp {
  readonly id: number
  readonly begunAtMs: number
  /** Undefined: never settled. */
  readonly settledAtMs: number | undefined
  readonly outcome: 'done' | 'not-done' | 'unknown' | 'unsettled'
  /** The code of a rejection. */
  readonly error: string | undefined
}

/** A rejection in the words that all contestants share. */
export interface Failure {
  readonly outcome: 'not-done' | 'unknown'
  readonly error: string
}
