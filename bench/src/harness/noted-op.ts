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

/** What a ledger proves of any store that is read back, node by node, when the traffic is over. */
export interface WriteVerdict {
  readonly writes: number
  readonly done: number
  readonly notDone: number
  /** Nobody knows, and the caller was told so. */
  readonly unknown: number
  /** Of the unknown ones, those that had happened. */
  readonly unknownButThere: number
  readonly unsettled: number
  /** Acknowledged, and missing on a node. */
  readonly lost: number
  /** Called not done, and there all the same: a wrong word. */
  readonly wronglyNotDone: number
  readonly reads: number
  readonly failedReads: number
}
