import { formatEndpoint, type HaError, type Routing } from '@ha/core'

/** Who takes the writes of a client that has one writer at a time. */
export type Incumbent =
  | { readonly kind: 'none' }
  | { readonly kind: 'serving'; readonly name: string }
  /** Nobody can be used: the one before is the first to come back to. */
  | { readonly kind: 'away'; readonly name: string; readonly error: HaError }
  /** Others can be used again, and the one before not yet. */
  | { readonly kind: 'awaited'; readonly name: string; readonly error: HaError; readonly sinceMs: number }

// Nodes that lost their quorum together find it again within a fraction of a second of each other. Whoever takes the
// first of them writes to another one than its neighbour, and moves again a moment later.
const patienceMs = 500

/** Folds a choice into the incumbent. `isDown` says that there is nothing to wait for. */
export function succeed(
  before: Incumbent,
  routing: Routing,
  nowMs: number,
  isDown: (name: string) => boolean,
): Incumbent {
  if (routing.kind === 'none') return withoutAny(before, routing.error)
  const names = routing.endpoints.map(formatEndpoint)
  const first: Incumbent = { kind: 'serving', name: names[0] ?? '' }
  if (before.kind === 'none' || before.kind === 'serving') return first
  if (names.includes(before.name) || isDown(before.name)) return first
  const { name, error } = before
  const sinceMs = before.kind === 'awaited' ? before.sinceMs : nowMs
  return nowMs - sinceMs < patienceMs ? { kind: 'awaited', name, error, sinceMs } : first
}

function withoutAny(before: Incumbent, error: HaError): Incumbent {
  return before.kind === 'none' ? before : { kind: 'away', name: before.name, error }
}
