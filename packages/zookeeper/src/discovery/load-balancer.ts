import type { Instance } from './instance.ts'

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
export interface PickRequest {
  readonly strategy: PickStrategy
  /** For `sticky`; without one, it is chosen at random. */
  readonly key: string | undefined
  /** How many choices there were before. */
  readonly picks: number
  readonly zone: ZoneRule | undefined
  /** How many calls are under way at an instance. */
  readonly inFlight: (instance: Instance) => number
  readonly random: () => number
}

/** The one of `candidates` to use; undefined only when there are none. */
export function pickInstance(candidates: readonly Instance[], wish: PickRequest): Instance | undefined {
  switch (wish.strategy) {
    case 'round-robin':
      return roundRobin(candidates, wish.picks)
    case 'random':
      return atRandom(candidates, wish.random)
    case 'sticky':
      return wish.key === undefined ? atRandom(candidates, wish.random) : rendezvous(candidates, wish.key)
    case 'least-busy':
      return leastConnectionsOfTwo(candidates, wish)
    case 'zone':
      return roundRobin(inZone(candidates, wish.zone), wish.picks)
  }
}

function roundRobin(candidates: readonly Instance[], turn: number): Instance | undefined {
  return candidates[turn % candidates.length]
}

function atRandom(candidates: readonly Instance[], random: () => number): Instance | undefined {
  return candidates[Math.floor(random() * candidates.length)]
}

// Two by lot and not the best of all: many clients that see the same numbers would all run to the same instance.
function leastConnectionsOfTwo(
  candidates: readonly Instance[],
  { inFlight, random }: PickRequest,
): Instance | undefined {
  const first = Math.floor(random() * candidates.length)
  const step = 1 + Math.floor(random() * (candidates.length - 1))
  const one = candidates[first]
  const other = candidates[(first + step) % candidates.length]
  if (one === undefined || other === undefined) return one
  return inFlight(other) < inFlight(one) ? other : one
}

function inZone(candidates: readonly Instance[], zone: ZoneRule | undefined): readonly Instance[] {
  if (zone === undefined) return candidates
  const near = candidates.filter(({ metadata }) => metadata['zone'] === zone.name)
  return near.length >= zone.atLeast ? near : candidates
}

/**
 * The instance that a key belongs to: every instance draws a lot for the key, and the highest wins. When one goes, only
 * its own keys move, and they spread over all the others; when it returns, it gets the same keys back.
 */
function rendezvous(candidates: readonly Instance[], key: string): Instance | undefined {
  const seed = hashInto(offsetBasis, key)
  let winner: Instance | undefined
  let highest = -1
  for (const candidate of candidates) {
    const lot = finalize(hashInto(seed, candidate.id))
    if (lot > highest) {
      winner = candidate
      highest = lot
    }
  }
  return winner
}

// FNV-1a with 32 bits: the numbers are those of its definition.
const offsetBasis = 0x811c9dc5
const prime = 0x01000193

function hashInto(seed: number, text: string): number {
  let hash = seed
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), prime)
  return hash
}

// The last step of MurmurHash3: ids that differ in their last letter alone would else draw neighbouring lots.
function finalize(hash: number): number {
  let bits = hash ^ (hash >>> 16)
  bits = Math.imul(bits, 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
