import type { Endpoint } from '../address/endpoint.ts'
import { sameEndpoint } from '../address/endpoint.ts'
import type { Member, View } from '../cluster/cluster-view.ts'

/** The order in which endpoints are dialled: `sequential` as listed, `random` a new order each time. */
export type Strategy = 'random' | 'sequential' | 'round-robin'

/** The order in which the endpoints of a pool are tried. */
export type PoolStrategy = Strategy | 'least-connections' | 'sticky'

/** The former words, which the options of the clients accept for one more version. */
export const strategyAliases: Readonly<Record<StrategyAlias, PoolStrategy>> = {
  shuffle: 'random',
  ordered: 'sequential',
  'least-busy': 'least-connections',
}

/** A former word for a strategy. */
export type StrategyAlias = 'shuffle' | 'ordered' | 'least-busy'

/** A strategy and its input. */
export type SelectionOrder =
  | {
      readonly strategy: Strategy
      /** For `round-robin`: the number of selections so far. */
      readonly selections: number
    }
  | {
      readonly strategy: 'least-connections'
      /** The number of connections in use there: of two endpoints chosen at random, the less loaded one comes first. */
      readonly load: (endpoint: Endpoint) => number
    }
  | {
      readonly strategy: 'sticky'
      /** The endpoint that was used last: it comes first unless it failed recently. */
      readonly last: Endpoint | undefined
    }

export type SelectionCriteria = SelectionOrder & {
  readonly nowMs: number
  /** How long a failed endpoint is tried after the others, in milliseconds. */
  readonly penaltyMs: number
  readonly random: () => number
}

/**
 * The endpoints in the order in which to try them. Failed endpoints are tried last rather than skipped, the one that
 * failed longest ago first.
 */
export function select(view: Pick<View, 'members'>, wanted: SelectionCriteria): readonly Endpoint[] {
  const healthy: Member[] = []
  const failed: Member[] = []
  for (const member of arrange(view.members, wanted)) {
    const penalised = wanted.nowMs - member.failedAtMs < wanted.penaltyMs
    if (penalised) failed.push(member)
    else healthy.push(member)
  }
  failed.sort((a, b) => a.failedAtMs - b.failedAtMs)
  return [...healthy, ...failed].map((member) => member.endpoint)
}

function arrange(members: readonly Member[], wanted: SelectionCriteria): readonly Member[] {
  switch (wanted.strategy) {
    case 'sequential':
      return members
    case 'round-robin': {
      const first = members.length === 0 ? 0 : wanted.selections % members.length
      return [...members.slice(first), ...members.slice(0, first)]
    }
    case 'random':
      return shuffled(members, wanted.random)
    case 'least-connections':
      return lessLoadedOfTwo(shuffled(members, wanted.random), wanted.load)
    case 'sticky': {
      const { last } = wanted
      const stays = (member: Member): boolean => last !== undefined && sameEndpoint(member.endpoint, last)
      return [...members.filter(stays), ...members.filter((member) => !stays(member))]
    }
  }
}

function shuffled(members: readonly Member[], random: () => number): readonly Member[] {
  return members
    .map((member) => ({ member, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ member }) => member)
}

// The better of two random choices, not the best of all: many clients with the same view would all choose the same one.
function lessLoadedOfTwo(
  members: readonly Member[],
  load: (endpoint: Endpoint) => number,
): readonly Member[] {
  const [first, second, ...rest] = members
  if (first === undefined || second === undefined) return members
  return load(second.endpoint) < load(first.endpoint) ? [second, first, ...rest] : members
}
