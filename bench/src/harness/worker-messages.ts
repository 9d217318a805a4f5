/** What a worker's process is told. */
export type Order<Setup> =
  | { readonly kind: 'start'; readonly setup: Setup }
  | { readonly kind: 'stop'; readonly settleMs: number }

/** What a worker's process says. */
export type Report<Count, Result> =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'count'; readonly count: Count }
  | { readonly kind: 'done'; readonly result: Finished<Result> }

/** Something worth a line, and when it happened. */
export interface Note {
  readonly atMs: number
  readonly text: string
}

/** What a worker did, and what it left to nobody. */
export type Finished<Result> = Result & {
  /** Rejections and exceptions that nobody handled. */
  readonly unhandled: readonly string[]
}
