import type { InFlightLimits } from './in-flight.ts'

/** How much one connection holds at the most. */
export interface ConnectionLimits extends InFlightLimits {
  /** The longest answer that is believed, in bytes. */
  readonly maxFrameBytes: number
}

const mebibyte = 1_048_576

/** Answers may be larger than `jute.maxbuffer` (1 MiB), which bounds single requests: the children of a node add up. */
export const defaultLimits: ConnectionLimits = {
  maxFrameBytes: 4 * mebibyte + 4_096,
  maxInFlight: 4_096,
  maxInFlightBytes: 16 * mebibyte,
}
