import type { Node, Stat } from '../../src/node.ts'

/** A stat with defaults for all fields that are not given. */
export function statOf(part: Partial<Stat> = {}): Stat {
  return {
    czxid: 1n,
    mzxid: 1n,
    pzxid: 1n,
    ctimeMs: 0,
    mtimeMs: 0,
    version: 0,
    cversion: 0,
    aversion: 0,
    ephemeralOwner: 0n,
    dataLength: 0,
    numChildren: 0,
    ...part,
  }
}

export function nodeOf(data: string, part: Partial<Stat> = {}): Node {
  return { data: Buffer.from(data), stat: statOf({ dataLength: data.length, ...part }) }
}
