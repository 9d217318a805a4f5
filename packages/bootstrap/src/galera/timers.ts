/** The timers of a Galera group, in the form that its provider reads. */
export type GaleraTimers = Readonly<Record<`evs.${string}`, string>>

// The provider takes no shorter period.
const minPeriodMs = 100
// The provider's own.
const maxRetransmissionMs = 1_000

/**
 * The timers that fit a promise: a member that was silent for `detectMs` is suspected, and given up when all others
 * suspect it, at the latest after twice that. Without a promise none: the provider's own are 5 s and 15 s.
 */
export function galeraTimers(detectMs: number | null): GaleraTimers {
  if (detectMs === null) return {}
  // Five signs of life fit into the silence; the provider asks for three at least.
  const periodMs = Math.max(minPeriodMs, detectMs / 5)
  return {
    'evs.keepalive_period': period(periodMs),
    'evs.inactive_check_period': period(periodMs),
    'evs.suspect_timeout': period(detectMs),
    'evs.inactive_timeout': period(2 * detectMs),
    'evs.install_timeout': period(2 * detectMs),
    // A message of the new group that was lost is sent again several times before its installation is given up. With
    // the provider's own second a third member took 8 to 12 s to join in five of six tries, instead of 3 to 4, and
    // once the group never formed again.
    'evs.join_retrans_period': period(Math.min(maxRetransmissionMs, 0.3 * detectMs)),
  }
}

function period(ms: number): string {
  return `PT${ms / 1000}S`
}
