import type { Endpoint } from '../address/endpoint.ts'
import type { Member, View } from '../model/view.ts'

/** The order in which endpoints are dialled. */
export type Strategy = 'shuffle' | 'ordered' | 'round-robin'

export interface Wanted {
  readonly strategy: Strategy
  /** For `round-robin`: how many connections were made before. */
  readonly turn: number
  readonly nowMs: number
  /** How long a failure keeps an endpoint behind the others, in milliseconds. */
  readonly penaltyMs: number
  readonly random: () => number
}

/**
 * The endpoints in the order in which to dial them. Those that failed a moment ago come last, the longest ago first;
 * none is left out, for when all are down, hope beats refusal.
 */
export function select(view: View, wanted: Wanted): readonly Endpoint[] {
  const fit: Member[] = []
  const failed: Member[] = []
  for (const member of arrange(view.members, wanted)) {
    const penalised = member.health === 'down' && wanted.nowMs - member.sinceMs < wanted.penaltyMs
    if (penalised) failed.push(member)
    else fit.push(member)
  }
  failed.sort((a, b) => a.sinceMs - b.sinceMs)
  return [...fit, ...failed].map((member) => member.endpoint)
}

function arrange(members: readonly Member[], wanted: Wanted): readonly Member[] {
  switch (wanted.strategy) {
    case 'ordered':
      return members
    case 'round-robin': {
      const first = members.length === 0 ? 0 : wanted.turn % members.length
      return [...members.slice(first), ...members.slice(0, first)]
    }
    case 'shuffle':
      return shuffled(members, wanted.random)
  }
}

function shuffled(members: readonly Member[], random: () => number): readonly Member[] {
  return members
    .map((member) => ({ member, lot: random() }))
    .sort((a, b) => a.lot - b.lot)
    .map(({ member }) => member)
}
