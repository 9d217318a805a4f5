import type { Instance } from './instance.ts'

/**
 * The instance that a key belongs to: every instance draws a lot for the key, and the highest wins. When one goes, only
 * its own keys move, and they spread over all the others; when it returns, it gets the same keys back.
 */
export function stickiest(candidates: readonly Instance[], key: string): Instance | undefined {
  const seed = mixedInto(offsetBasis, key)
  let winner: Instance | undefined
  let highest = -1
  for (const candidate of candidates) {
    const lot = spread(mixedInto(seed, candidate.id))
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

function mixedInto(seed: number, text: string): number {
  let hash = seed
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), prime)
  return hash
}

// The last step of MurmurHash3: ids that differ in their last letter alone would else draw neighbouring lots.
function spread(hash: number): number {
  let bits = hash ^ (hash >>> 16)
  bits = Math.imul(bits, 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
