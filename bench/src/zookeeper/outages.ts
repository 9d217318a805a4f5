import type { ClientEvent } from '../harness/client-event.ts'

/** When all servers were frozen, and when their healing began. */
export interface Outage {
  readonly frozenAtMs: number
  readonly healedAtMs: number
  /** Whether the servers then hung, all of them, until their leader was restarted. */
  readonly isHung: boolean
}

/** What a client that asks all the time made of an outage. */
export interface OutageVerdict {
  readonly lastedMs: number
  /** From the freeze, which is when the last request that was answered had just been sent, until it said LOST. */
  readonly lostAfterMs: number | undefined
  /** From the connection until all instances were registered; 0 when they had been all the time. */
  readonly registeredAfterMs: number | undefined
  readonly isHung: boolean
}

/** What the events of a client say about each outage. */
export function judgeOutages(
  outages: readonly Outage[],
  events: readonly ClientEvent[],
): readonly OutageVerdict[] {
  return outages.map((outage, i) => {
    const untilMs = outages[i + 1]?.frozenAtMs ?? Number.POSITIVE_INFINITY
    return judgeOutage(
      outage,
      events.filter(({ atMs }) => atMs >= outage.frozenAtMs && atMs < untilMs),
    )
  })
}

function judgeOutage(
  { frozenAtMs, healedAtMs, isHung }: Outage,
  events: readonly ClientEvent[],
): OutageVerdict {
  const lost = events.find(({ name, facts }) => name === 'state' && facts['state'] === 'lost')
  return {
    lastedMs: healedAtMs - frozenAtMs,
    lostAfterMs: lost === undefined ? undefined : lost.atMs - frozenAtMs,
    registeredAfterMs: registeredAfter(events),
    isHung,
  }
}

// Counted from the connection of the last new session; without a new one, nothing had to be registered again.
function registeredAfter(events: readonly ClientEvent[]): number | undefined {
  const begun = events.findLast(({ name }) => name === 'session')
  if (begun === undefined) return 0
  const registered = events.find(({ name, atMs }) => name === 'registered' && atMs >= begun.atMs)
  return registered && registered.atMs - begun.atMs
}
