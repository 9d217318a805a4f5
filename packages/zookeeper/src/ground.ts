import type { Clock, Link } from '@ha/core'
import type { Notifier } from '@ha/core/driver'
import type { ZookeeperConnection } from './connection/connection.ts'
import type { Operations, WatchedReads } from './operations/operations.ts'
import type { LiveSession } from './session/live-session.ts'

/** The sessions of a client, one after the other. */
export interface Sessions {
  /** The session that has been granted and is not over; also while its connection is lost. */
  readonly current: LiveSession | undefined
  /** Whether operations run at this moment. */
  readonly connected: boolean
  /** Fires when {@link current} or {@link connected} has changed. */
  readonly changed: Notifier
  /** Waits until operations run, and gives the session in which they do. Rejects with the signal's reason, or `closed`. */
  live(signal: AbortSignal): Promise<LiveSession>
}

/** What recipes and discovery stand on. */
export interface Ground {
  readonly operations: Operations
  readonly watched: WatchedReads
  readonly sessions: Sessions
  /** The one connection: `link.ledger` puts declarations on each one that follows. */
  readonly link: Link<ZookeeperConnection>
  readonly clock: Clock
  /** A number from 0 up to 1. */
  readonly random: () => number
  /** Fires when the client is closed. */
  readonly signal: AbortSignal
  /** The deadline of an operation that says none, in milliseconds. */
  readonly operationTimeoutMs: number
  /** Hears of what can only be a defect of ours; it is told as an event and ends nothing. */
  readonly onDefect: (where: string, thrown: unknown) => void
}
