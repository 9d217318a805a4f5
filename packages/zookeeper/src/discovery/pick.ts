import type { Instance } from './instance.ts'
import { stickiest } from './sticky.ts'

/**
 * How one of several instances is chosen: `round-robin` one after the other; `random`; `sticky` the same one for the
 * same key, as long as it is there; `least-busy` of two by lot the one with fewer calls under way; `zone` one after the
 * other in the own zone, and everywhere when too few are left there.
 */
export type PickStrategy = 'round-robin' | 'random' | 'sticky' | 'least-busy' | 'zone'

/** Where a client is, and how many instances have to be there for it to keep to them. */
export interface ZoneRule {
  /** The zone, as it stands in the metadata of instances under `zone`. */
  readonly name: string
  /** How many of its instances there have to be at the least. */
  readonly atLeast: number
}

/** What a choice depends on. */
export interface PickWish {
  readonly strategy: PickStrategy
  /** For `sticky`; without one, it is chosen at random. */
  readonly key: string | undefined
  /** How many choices there were before. */
  readonly turn: number
  readonly zone: ZoneRule | undefined
  /** How many calls are under way at an instance. */
  readonly inFlight: (instance: Instance) => number
  readonly random: () => number
}

/** The one of `candidates` to use; undefined only when there are none. */
export function pickOne(candidates: readonly Instance[], wish: PickWish): Instance | undefined {
  switch (wish.strategy) {
    case 'round-robin':
      return inTurn(candidates, wish.turn)
    case 'random':
      return byLot(candidates, wish.random)
    case 'sticky':
      return wish.key === undefined ? byLot(candidates, wish.random) : stickiest(candidates, wish.key)
    case 'least-busy':
      return lessBusyOfTwo(candidates, wish)
    case 'zone':
      return inTurn(nearEnough(candidates, wish.zone), wish.turn)
  }
}

function inTurn(candidates: readonly Instance[], turn: number): Instance | undefined {
  return candidates[turn % candidates.length]
}

function byLot(candidates: readonly Instance[], random: () => number): Instance | undefined {
  return candidates[Math.floor(random() * candidates.length)]
}

// Two by lot and not the best of all: many clients that see the same numbers would all run to the same instance.
function lessBusyOfTwo(
  candidates: readonly Instance[],
  { inFlight, random }: PickWish,
): Instance | undefined {
  const first = Math.floor(random() * candidates.length)
  const step = 1 + Math.floor(random() * (candidates.length - 1))
  const one = candidates[first]
  const other = candidates[(first + step) % candidates.length]
  if (one === undefined || other === undefined) return one
  return inFlight(other) < inFlight(one) ? other : one
}

function nearEnough(candidates: readonly Instance[], zone: ZoneRule | undefined): readonly Instance[] {
  if (zone === undefined) return candidates
  const near = candidates.filter(({ metadata }) => metadata['zone'] === zone.name)
  return near.length >= zone.atLeast ? near : candidates
}
