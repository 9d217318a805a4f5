import { isSoak } from '@ha/core/testing'
import type { CutHow, Side } from '@ha/testing/mariadb'

/** A range of positions in the byte stream of a connection: one test case. */
export interface Stretch {
  readonly how: CutHow
  readonly from: Side
  readonly first: number
  readonly last: number
}

// The fake servers keep every version of a row: long tests become slow.
const mostInOne = 100

/** Every position within these numbers of bytes of each side, for each way to cut a connection. */
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

/**
 * The positions of a stretch that are tested: all of them in a soak; in a test run every eighth, with a different
 * offset in each stretch.
 */
export function bytesOf({ first, last }: Pick<Stretch, 'first' | 'last'>): readonly number[] {
  const step = isSoak() ? 1 : 8
  const bytes: number[] = []
  for (let byte = first + (((first - 1) / mostInOne) % step); byte <= last; byte += step) bytes.push(byte)
  return bytes
}
