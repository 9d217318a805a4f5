import type { Clock } from '@ha/core'
import type { Broker } from '../broker/broker.ts'
import type { Frame } from '../wire/frame.ts'
import type { ServerSettings } from './settings.ts'

/** What a session needs from the socket below it. */
export interface SessionEnds {
  readonly clock: Clock
  readonly broker: Broker
  readonly settings: ServerSettings
  readonly send: (frame: Frame) => void
  /** From here on frames may be so long. */
  readonly allow: (maxFrameBytes: number) => void
  /** How many bytes were sent so far; undefined while the node is frozen. */
  readonly sentBytes: () => number | undefined
  /** How many bytes were received so far; undefined while nothing is read. */
  readonly receivedBytes: () => number | undefined
  readonly pauseReading: () => void
  readonly resumeReading: () => void
  /** Ends the socket after what was sent. */
  readonly end: () => void
  /** Cuts the socket. */
  readonly cut: () => void
}
