import type { FakeEnsemble } from '@ha/testing/zookeeper'
import type { Cache } from '../../src/cache/cache.ts'
import type { Depth } from '../../src/cache/tree-node.ts'

/** A summary of a tree: the data of each node, and the transactions that created and changed it. */
export type Picture = Readonly<Record<string, string>>

/** The content of a cache. */
export function pictureOf(cache: Cache<Buffer>): Picture {
  const entries = [...cache.current()].map(([path, { value, stat }]) => [path, inShort(value, stat)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The content that a cache of that depth should have, by the committed tree. */
export function pictureIn(ensemble: FakeEnsemble, root: string, depth: Depth): Picture {
  const entries = [...ensemble.tree()]
    .filter(([path]) => isShown(path, root, depth))
    .map(([path, { data, stat }]) => [path, inShort(data ?? Buffer.alloc(0), stat)] as const)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

function isShown(path: string, root: string, depth: Depth): boolean {
  if (path === root) return depth !== 1
  if (depth === 0 || !path.startsWith(`${root}/`)) return false
  return depth === 'tree' || !path.slice(root.length + 1).includes('/')
}

function inShort(data: Buffer, stat: { readonly czxid: bigint; readonly mzxid: bigint }): string {
  return `${data.toString()} made ${stat.czxid} changed ${stat.mzxid}`
}
