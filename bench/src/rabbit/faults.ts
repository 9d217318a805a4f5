/** What is done to a node. */
export type FaultKind = 'kill' | 'stop' | 'pause' | 'partition'

export const faultKinds: readonly FaultKind[] = ['kill', 'stop', 'pause', 'partition']

/** How an experiment with a fault is timed. */
export interface Timing {
  /** How long the node is away when nobody heals it. */
  readonly leaseMs: number
  /** How long it is away at the least. */
  readonly holdMs: number
  /** How long the clients may take to come back. */
  readonly recoveryMs: number
  /** How long after one attempt of the probe the next one begins beside it. */
  readonly probeEveryMs: number
}

// Longer than any experiment: whoever breaks a node heals it.
const untilHealed: Timing = { leaseMs: 120_000, holdMs: 0, recoveryMs: 20_000, probeEveryMs: 20 }

/**
 * The timing of a fault. A node that is frozen or cut off says goodbye to nobody: for `silentMs` nobody hears of it, so
 * that all who wait for its word notice, and then it is back by itself.
 */
export function timingOf(fault: FaultKind, silentMs: number): Timing {
  if (fault === 'kill' || fault === 'stop') return untilHealed
  // A probe every 20 ms after a freeze held the cluster's own recovery back from 5 s to 8 s; every 250 ms did not.
  return { leaseMs: silentMs, holdMs: silentMs, recoveryMs: silentMs + 10_000, probeEveryMs: 250 }
}
