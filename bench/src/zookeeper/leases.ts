import type { Hold, Thaw } from './contender-run.ts'
import type { StoreWrite } from './store.ts'

/** What became of a lock that several contended for. */
export interface LeaseVerdict {
  readonly acquired: number
  readonly writes: number
  /** Pairs of leases that were held to be valid at one instant. */
  readonly overlaps: number
  /** Writes of a valid lease that the store turned away. */
  readonly rejectedValid: number
  /** Writes of a lease behind those of a later one, and that the store took. */
  readonly acceptedStale: number
  /** Writes of a lease behind those of a later one, and that the store turned away. */
  readonly rejectedStale: number
  /** Leases whose signal had not fired when the next one was had. */
  readonly signalledLate: number
  readonly thaws: readonly Thaw[]
}

/** Decides by what the store and the contenders saw. */
export function judgeLeases(
  holds: readonly Hold[],
  writes: readonly StoreWrite[],
  thaws: readonly Thaw[],
): LeaseVerdict {
  const inOrder = [...holds].sort((a, b) => (a.token < b.token ? -1 : 1))
  const pairs = inOrder.slice(1).map((next, i) => [inOrder[i] ?? next, next] as const)
  const stale = staleWrites(holds, writes)
  return {
    acquired: holds.length,
    writes: writes.length,
    overlaps: overlapsOf(holds),
    rejectedValid: writes.filter(({ isClaimed, isAccepted }) => isClaimed && !isAccepted).length,
    acceptedStale: stale.filter(({ isAccepted }) => isAccepted).length,
    rejectedStale: stale.filter(({ isAccepted }) => !isAccepted).length,
    signalledLate: pairs.filter(([before, next]) => isLate(before, next)).length,
    thaws,
  }
}

// Each with each: one that went on for too long may overlap more than its neighbour.
function overlapsOf(holds: readonly Hold[]): number {
  const byStart = [...holds].sort((a, b) => a.fromMs - b.fromMs)
  let overlaps = 0
  for (const [i, one] of byStart.entries()) {
    for (const other of byStart.slice(i + 1)) {
      if (other.fromMs > one.validUntilMs) break
      overlaps += 1
    }
  }
  return overlaps
}

function isLate(before: Hold, next: Hold): boolean {
  return (before.endedAtMs ?? Number.POSITIVE_INFINITY) > next.fromMs
}

// By when the leases were had, not by their tokens, which are on trial: the store goes by nothing else.
function staleWrites(holds: readonly Hold[], writes: readonly StoreWrite[]): readonly StoreWrite[] {
  const hadAtMs = new Map(holds.map(({ token, fromMs }) => [token, fromMs]))
  let latestMs = Number.NEGATIVE_INFINITY
  return writes.filter(({ token }) => {
    const fromMs = hadAtMs.get(token) ?? Number.NEGATIVE_INFINITY
    const isStale = fromMs < latestMs
    if (!isStale) latestMs = fromMs
    return isStale
  })
}
