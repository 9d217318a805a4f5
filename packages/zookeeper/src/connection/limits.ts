import type { InFlightLimits } from './in-flight.ts'
import { TooLargeError } from './too-large-error.ts'

/** How much one connection holds at the most. */
export interface ConnectionLimits extends InFlightLimits {
  /** The longest answer that is kept, in bytes. */
  readonly maxFrameBytes: number
  /** The longest request that is sent, in bytes. */
  readonly maxRequestBytes: number
}

const mebibyte = 1_048_576

/** Answers may be larger than `jute.maxbuffer` (1 MiB), which bounds single requests: the children of a node add up. */
export const defaultLimits: ConnectionLimits = {
  maxFrameBytes: 4 * mebibyte + 4_096,
  // The servers' own default: they end the connection over what is larger.
  maxRequestBytes: 0xf_ffff,
  maxInFlight: 4_096,
  maxInFlightBytes: 16 * mebibyte,
}

/** Throws {@link TooLargeError} for a request, with its length before it, that no server takes in one piece. */
export function checkRequest(frame: Buffer, name: string, { maxRequestBytes }: ConnectionLimits): void {
  // The length itself does not count.
  const bytes = frame.readInt32BE(0)
  if (bytes > maxRequestBytes) throw new TooLargeError('request', name, bytes, maxRequestBytes)
}
