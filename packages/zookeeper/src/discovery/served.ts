import type { Instance } from './instance.ts'

/** The list that a view serves, and how far it can be trusted. */
export type Served =
  /** Nothing has been read yet. */
  | { readonly kind: 'unread'; readonly instances: readonly Instance[] }
  /** It is what the registry says. */
  | { readonly kind: 'current'; readonly instances: readonly Instance[] }
  /** The registry is away: the last good list, for as long as that takes. */
  | { readonly kind: 'stale'; readonly instances: readonly Instance[] }
  /** What the registry says, but it was away until a moment ago: `good` is the list from before. */
  | ({ readonly kind: 'returned' } & AfterOutage)
  /** The registry is back and its list has collapsed: those who are missing are kept while they register again. */
  | ({ readonly kind: 'guarded' } & AfterOutage)

interface AfterOutage {
  readonly instances: readonly Instance[]
  readonly good: readonly Instance[]
  /** When a collapsed list is believed. */
  readonly untilMs: number
}

/** What was seen of the registry: a whole list, or that it cannot be read. */
export type Sighting =
  | { readonly kind: 'listed'; readonly instances: readonly Instance[] }
  | { readonly kind: 'away' }

/** When a list that has become short is not believed. */
export interface GuardRules {
  /** How long after an outage, in milliseconds. Default 15 000. */
  readonly graceMs: number
  /** Which share of the list from before has to be there, from 0 to 1; an empty list is never enough. Default 0.5. */
  readonly share: number
}

/** Nothing has been read. */
export const unread: Served = { kind: 'unread', instances: [] }

/** What is served after one more sighting. */
export function afterSighting(served: Served, sighting: Sighting, nowMs: number, rules: GuardRules): Served {
  return sighting.kind === 'away' ? whileAway(served) : afterListing(served, sighting.instances, nowMs, rules)
}

function whileAway(served: Served): Served {
  switch (served.kind) {
    case 'unread':
    case 'stale':
      return served
    case 'current':
    case 'returned':
    case 'guarded':
      return { kind: 'stale', instances: served.instances }
  }
}

function afterListing(served: Served, listed: readonly Instance[], nowMs: number, rules: GuardRules): Served {
  switch (served.kind) {
    case 'unread':
    case 'current':
      return { kind: 'current', instances: listed }
    case 'stale':
      return guarded(listed, served.instances, nowMs + rules.graceMs, rules)
    case 'returned':
    case 'guarded':
      if (nowMs >= served.untilMs) return { kind: 'current', instances: listed }
      return guarded(listed, served.good, served.untilMs, rules)
  }
}

function guarded(
  listed: readonly Instance[],
  good: readonly Instance[],
  untilMs: number,
  rules: GuardRules,
): Served {
  const enough = listed.length >= good.length * rules.share && (listed.length > 0 || good.length === 0)
  if (enough) return { kind: 'returned', instances: listed, good, untilMs }
  const ids = new Set(listed.map(({ id }) => id))
  const missing = good.filter(({ id }) => !ids.has(id))
  return { kind: 'guarded', instances: [...listed, ...missing], good, untilMs }
}
