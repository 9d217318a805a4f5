import type { HaError, Outcome } from '@ha/core'
import type { Options } from '../amqp/types.ts'

/** What the broker has said about a message that was published. */
export interface Receipt {
  readonly messageId: string
  /** How often it was sent until the broker confirmed it. */
  readonly attempts: number
  /**
   * True when it was sent more than once, so that the broker may hold it more than once, under the same `messageId`.
   * A message whose receipt says false is in the queue once.
   */
  readonly maybeDuplicate: boolean
  /** The node that confirmed it, as `host:port`. */
  readonly endpoint: string
  /** From `publish()` to the confirm, in milliseconds. */
  readonly latencyMs: number
}

/** One accepted message, until it is settled. */
export interface Entry {
  /** Its place in the order of acceptance. */
  readonly sequence: number
  readonly messageId: string
  readonly exchange: string
  readonly key: string
  readonly content: Buffer
  readonly properties: Options.Publish
  readonly acceptedAtMs: number
  /** Clock time after which its promise must be settled. */
  readonly deadlineMs: number
  /** Whether it may be sent again when nobody knows whether it arrived. */
  readonly repeatable: boolean
  /** How often it was sent. */
  attempts: number
  /** Sent on the current channel, and the broker has not answered for it yet. */
  inFlight: boolean
  /** The broker gave it back: no queue wanted it. The confirm that follows is then no success. */
  returned: string | undefined
  settled: boolean
  /** What it counts for in the outbox. */
  readonly bytes: number
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: HaError) => void
  /** Lets go of the caller's signal; undefined when there is none. */
  readonly unlisten: (() => void) | undefined
  /** Told when it is settled: gives its room in the outbox back. */
  readonly onSettled: (entry: Entry, confirmed: boolean) => void
}

/** Settles an entry as confirmed. The first settlement counts. */
export function confirm(entry: Entry, endpoint: string, nowMs: number): void {
  if (!settle(entry, true)) return
  entry.resolve({
    messageId: entry.messageId,
    attempts: entry.attempts,
    maybeDuplicate: entry.attempts > 1,
    endpoint,
    latencyMs: nowMs - entry.acceptedAtMs,
  })
}

/** Settles an entry with an error. The first settlement counts. */
export function fail(entry: Entry, error: HaError): void {
  if (settle(entry, false)) entry.reject(error)
}

/** What is known of an entry that is given up now: what was sent may have arrived. */
export function outcomeOf(entry: Entry): Outcome {
  return entry.attempts > 0 ? 'unknown' : 'not-done'
}

function settle(entry: Entry, confirmed: boolean): boolean {
  if (entry.settled) return false
  entry.settled = true
  entry.unlisten?.()
  entry.onSettled(entry, confirmed)
  return true
}
