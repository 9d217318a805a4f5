import { sameEndpoint } from '../address/endpoint.ts'
import { isHaError } from '../errors/ha-error.ts'
import type { Lease } from '../source.ts'
import { type Dialed, dialRace } from './dial.ts'
import type { LinkOptions } from './options.ts'

/**
 * Waits on a lesser endpoint until a better one completes a handshake again, one try in each `failBackAfterMs`.
 * Resolves with that connection; never while the lease is on the best endpoint. Rejects with the signal's reason.
 */
export async function findBetter<C>(
  options: LinkOptions<C>,
  lease: Lease<C>,
  signal: AbortSignal,
): Promise<Dialed<C>> {
  const { clock, driver, roster, dial, failBackAfterMs } = options
  for (;;) {
    await clock.sleep(failBackAfterMs, signal)
    const endpoints = roster.view.members.map((member) => member.endpoint)
    const better = endpoints.slice(
      0,
      Math.max(
        0,
        endpoints.findIndex((endpoint) => sameEndpoint(endpoint, lease.endpoint)),
      ),
    )
    if (better.length === 0) continue
    try {
      return await dialRace({ driver, clock, roster, options: dial }, better, signal)
    } catch (error) {
      // The failure is in the view already; the connection in hand is good. What is no HaError is a defect.
      if (signal.aborted || !isHaError(error)) throw error
    }
  }
}
