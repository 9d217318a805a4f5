import type { Instance } from './instance.ts'

/**
 * How an instance is chosen. `round-robin`: one after another. `random`. `sticky`: the same one for the same key, as long
 * as it is listed. `least-connections`: of two chosen at random, the one with fewer calls in flight. `zone`: one after
 * another in the own zone, and in all zones when too few instances are left there.
 */
export type PickStrategy = 'round-robin' | 'random' | 'sticky' | 'least-connections' | 'zone'

/** The zone of a client, and how many instances it must have for the client to stay in it. */
export interface ZoneRule {
  /** The zone, as in the metadata of instances under `zone`. */
  readonly name: string
  /** The minimum number of its instances. */
  readonly atLeast: number
}

/** What a choice depends on. */
export interface PickRequest {
  readonly strategy: PickStrategy
  /** For `sticky`; without a key, an instance is chosen at random. */
  readonly key: string | undefined
  /** The number of earlier choices. */
  readonly picks: number
  readonly zone: ZoneRule | undefined
  /** The number of calls in flight at an instance. */
  readonly inFlight: (instance: Instance) => number
  readonly random: () => number
}

/** Chooses one of the candidates; undefined only when there are none. */
export function pickInstance(candidates: readonly Instance[], request: PickRequest): Instance | undefined {
  switch (request.strategy) {
    case 'round-robin':
      return roundRobin(candidates, request.picks)
    case 'random':
      return atRandom(candidates, request.random)
    case 'sticky':
      return request.key === undefined
        ? atRandom(candidates, request.random)
        : rendezvous(candidates, request.key)
    case 'least-connections':
      return leastConnectionsOfTwo(candidates, request)
    case 'zone':
      return roundRobin(inZone(candidates, request.zone), request.picks)
  }
}

function roundRobin(candidates: readonly Instance[], picks: number): Instance | undefined {
  return candidates[picks % candidates.length]
}

function atRandom(candidates: readonly Instance[], random: () => number): Instance | undefined {
  return candidates[Math.floor(random() * candidates.length)]
}

// The better of two random candidates rather than the best of all: clients that see the same numbers would otherwise all
// choose the same instance.
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
  const local = candidates.filter(({ metadata }) => metadata['zone'] === zone.name)
  return local.length >= zone.atLeast ? local : candidates
}

/**
 * Rendezvous hashing: each instance gets a score for the key, and the highest score wins. When an instance is removed,
 * only its own keys move, and they spread over all others; when it returns, it gets the same keys again.
 */
export function rendezvous(candidates: readonly Instance[], key: string): Instance | undefined {
  const seed = hashInto(offsetBasis, key)
  let winner: Instance | undefined
  let highest = -1
  for (const candidate of candidates) {
    const score = finalize(hashInto(seed, candidate.id))
    if (score > highest) {
      winner = candidate
      highest = score
    }
  }
  return winner
}

// The constants of 32-bit FNV-1a.
const offsetBasis = 0x811c9dc5
const prime = 0x01000193

function hashInto(seed: number, text: string): number {
  let hash = seed
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), prime)
  return hash
}

// The finalizer of MurmurHash3: without it, ids that differ only in their last character get neighbouring scores.
function finalize(hash: number): number {
  let bits = hash ^ (hash >>> 16)
  bits = Math.imul(bits, 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
