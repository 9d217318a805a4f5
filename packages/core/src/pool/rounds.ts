import type { EndpointRegistry } from '../model/roster.ts'
import type { Clock } from '../runtime/clock.ts'

// The list is asked for again after so long; sooner while there is none at all.
const relistMs = 30_000
const firstListMs = 1_000

// How often idle connections are looked after: fine enough for their times, which are seconds to minutes.
const upkeepMs = 1_000

/** Looks after the idle connections of all hosts, again and again. Rejects with the signal's reason. */
export async function keepUp(
  clock: Clock,
  hosts: () => Iterable<{ upkeep(): void }>,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    await clock.sleep(upkeepMs, signal)
    for (const host of hosts()) host.upkeep()
  }
}

/** Asks for the endpoints again and again. Rejects with the signal's reason. */
export async function relist(
  clock: Clock,
  roster: Pick<EndpointRegistry<unknown>, 'refresh' | 'view'>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    // The view says why a list could not be had; the last good one is used meanwhile.
    await roster.refresh(timeoutMs, signal).catch(() => undefined)
    await clock.sleep(roster.view.members.length === 0 ? firstListMs : relistMs, signal)
  }
}
