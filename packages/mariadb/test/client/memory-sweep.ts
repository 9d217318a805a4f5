import { isSoak } from '@ha/core/testing'
import type { CutHow, Side } from '@ha/testing/mariadb'

/** Some places in the stream of bytes of a connection: as many as a test takes in one go. */
export interface Stretch {
  readonly how: CutHow
  readonly from: Side
  readonly first: number
  readonly last: number
}

// The fake servers keep every version of their rows: a test that goes on for long goes on slowly.
const mostInOne = 100

/** Every place in so many bytes of each side, for each of these ways to cut a connection. */
export function stretchesOf(
  lengths: Readonly<Record<Side, number>>,
  hows: readonly CutHow[] = ['reset', 'end', 'half'],
): readonly Stretch[] {
  const stretches: Stretch[] = []
  for (const how of hows) {
    for (const from of ['client', 'server'] as const) {
      for (let first = 1; first <= lengths[from]; first += mostInOne)
        stretches.push({ how, from, first, last: Math.min(first + mostInOne - 1, lengths[from]) })
    }
  }
  return stretches
}

/** The places of a stretch that are tried: all of them in a soak; every eighth in a test run, not the same in each stretch. */
export function bytesOf({ first, last }: Pick<Stretch, 'first' | 'last'>): readonly number[] {
  const step = isSoak() ? 1 : 8
  const bytes: number[] = []
  for (let byte = first + (((first - 1) / mostInOne) % step); byte <= last; byte += step) bytes.push(byte)
  return bytes
}
