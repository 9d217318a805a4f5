import { formatEndpoint } from '../address/endpoint.ts'
import { detachStack, HaError } from '../errors/ha-error.ts'
import type { Lease } from '../source.ts'
import type { Dialed } from './dial.ts'
import type { Loss } from './link-events.ts'

/** How a lease ended: its connection was lost, or it was left for a better one that is dialled already. */
export type Ending<C> =
  | {
      readonly kind: 'lost'
      readonly error: Error
      /** How long the server had been quiet before it was given up; 0 when the end was announced. */
      readonly detectMs: number
    }
  | { readonly kind: 'moved'; readonly next: Dialed<C> }

/** How many connections in a row ended soon after they were made, and why the last one did. */
export interface Flaps {
  readonly count: number
  readonly error: Error | undefined
}

// A connection that was lost sooner than this after it was made did not prove its endpoint: the next dial backs off.
const stableMs = 5_000

/** Nothing has flapped yet. */
export const noFlaps: Flaps = { count: 0, error: undefined }

/** Folds one ending into the flaps: a connection that lived ends the row, and one that was left adds nothing to it. */
export function flapsAfter(flaps: Flaps, ending: Ending<unknown>, livedMs: number): Flaps {
  if (livedMs >= stableMs) return noFlaps
  return ending.kind === 'lost' ? { count: flaps.count + 1, error: ending.error } : flaps
}

/** What is told of an ending. */
export function lossOf(lease: Lease<unknown>, ending: Ending<unknown>): Loss {
  const at = { endpoint: formatEndpoint(lease.endpoint), generation: lease.generation }
  return ending.kind === 'lost'
    ? { ...at, error: detachStack(ending.error), detectMs: ending.detectMs }
    : { ...at, error: failedBack(ending.next), detectMs: 0 }
}

function failedBack(next: Dialed<unknown>): HaError {
  return detachStack(
    new HaError('failed-back', `moved back to ${formatEndpoint(next.endpoint)}`, { retryable: true }),
  )
}

/** The connection that there is, and what ends it. */
export interface Current<C> {
  readonly lease: Lease<C>
  readonly end: (ending: Ending<C>) => void
}
