import { type Endpoint, formatEndpoint, HaError } from '@ha/core'
import { asError } from '@ha/core/driver'

/** The end of a connection that went away under what was asked over it. */
export function lost(thrown: Error, at: Endpoint): HaError {
  const endpoint = formatEndpoint(at)
  const cause = asError(thrown)
  const details = { outcome: 'unknown', retryable: true, endpoint, cause } as const
  return new HaError('lost', `${endpoint}: ${cause.message}`, details)
}

/** The end of a connection whose server said nothing for so long. */
export function silentFor(quietMs: number, at: Endpoint): HaError {
  const endpoint = formatEndpoint(at)
  const message = `${endpoint} said nothing for ${Math.round(quietMs)} ms`
  return new HaError('unresponsive', message, { outcome: 'unknown', retryable: true, endpoint })
}
