import type { LiveSession } from '../session/live-session.ts'

/** How far a cache can be trusted. Only {@link followed} makes the next one. */
export type Freshness =
  /** Not all of it has been read yet. */
  | { readonly kind: 'unread' }
  /** All of it has been read, and what changes in this session is heard of. */
  | { readonly kind: 'in-step'; readonly session: LiveSession; readonly sinceMs: number }
  /** It was in step until then, by the clock, and may lag behind by anything. */
  | { readonly kind: 'behind'; readonly untilMs: number }

/** What a freshness follows from. */
export interface Facts {
  /** The session in which operations run at this moment; undefined when none do. */
  readonly live: LiveSession | undefined
  /** How many reads are due or under way. */
  readonly unread: number
  /** How many reads have failed and will be tried again. */
  readonly failing: number
  readonly nowMs: number
}

/** The freshness that follows; the same object when it is the same. */
export function followed(before: Freshness, { live, unread, failing, nowMs }: Facts): Freshness {
  const isHeard = live !== undefined && failing === 0
  if (before.kind === 'in-step') {
    return isHeard && live === before.session ? before : { kind: 'behind', untilMs: inStepUntilMs(before) }
  }
  return isHeard && unread === 0 ? { kind: 'in-step', session: live, sinceMs: nowMs } : before
}

/** Until when it was certainly in step, by the clock; undefined when it never was. */
export function freshUntilMs(freshness: Freshness): number | undefined {
  switch (freshness.kind) {
    case 'unread':
      return undefined
    case 'in-step':
      return inStepUntilMs(freshness)
    case 'behind':
      return freshness.untilMs
  }
}

// A server that has answered had told before of everything that had changed when it was asked.
function inStepUntilMs({ session, sinceMs }: Freshness & { readonly kind: 'in-step' }): number {
  return Math.max(sinceMs, session.confirmedAtMs)
}
