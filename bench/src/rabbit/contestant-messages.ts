import type { Ledger } from '../harness/ledger.ts'
import type { TrafficCount } from './traffic.ts'

/** What a contestant's process is told. */
export type Order =
  | {
      readonly kind: 'start'
      readonly contestant: string
      readonly endpoints: readonly string[]
      readonly queue: string
      readonly consumeArguments: Readonly<Record<string, unknown>>
      readonly ratePerSecond: number
      readonly retryMs: number
    }
  | { readonly kind: 'stop'; readonly settleMs: number }

/** Something worth a line, and when it happened. */
export interface Note {
  readonly atMs: number
  readonly text: string
}

/** What a contestant did and was told, from the first message to the last. */
export interface Result {
  readonly ledger: Ledger
  readonly notes: readonly Note[]
  /** Rejections and exceptions that nobody handled. */
  readonly unhandled: readonly string[]
}

/** What a contestant's process says. */
export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'count'; readonly count: TrafficCount }
  | { readonly kind: 'done'; readonly result: Result }
