import type { AclEntry } from '../wire/acl.ts'
import type { SeenStat } from '../wire/stat.ts'

/** One node of the tree, as it is between two transactions. */
export interface Znode {
  readonly data: Buffer | null
  readonly acl: readonly AclEntry[]
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly pzxid: bigint
  readonly ctimeMs: number
  readonly mtimeMs: number
  readonly version: number
  readonly aversion: number
  /** How many children were ever made: the number of the next sequential one. */
  readonly born: number
  readonly childCount: number
  /** The session that it ends with, 0, or one of the marks below. */
  readonly owner: bigint
}

/** The owner of a container. */
export const containerOwner: bigint = BigInt.asIntN(64, 0x8000_0000_0000_0000n)

const ttlMark = 0xff00_0000_0000_0000n

/** The owner of a node that lives so long without a change. */
export function ttlOwner(ttlMs: bigint): bigint {
  return BigInt.asIntN(64, ttlMark | ttlMs)
}

/** How long a node lives without a change; undefined when it has no TTL. */
export function ttlOf({ owner }: Znode): number | undefined {
  const bits = BigInt.asUintN(64, owner)
  return bits >> 56n === ttlMark >> 56n ? Number(bits & 0xff_ffff_ffffn) : undefined
}

/** Whether it ends with a session. */
export function isEphemeral(node: Znode): boolean {
  return node.owner !== 0n && node.owner !== containerOwner && ttlOf(node) === undefined
}

/** What a client is told of it. */
export function statOf(node: Znode): SeenStat {
  const { czxid, mzxid, pzxid, ctimeMs, mtimeMs, version, aversion, childCount } = node
  return {
    czxid,
    mzxid,
    pzxid,
    ctimeMs,
    mtimeMs,
    version,
    aversion,
    // What is kept is how many were made; what is told is how many were made or removed.
    cversion: node.born * 2 - childCount,
    // Of the marks nobody is told.
    ephemeralOwner: isEphemeral(node) ? node.owner : 0n,
    dataLength: node.data?.length ?? 0,
    numChildren: childCount,
  }
}
