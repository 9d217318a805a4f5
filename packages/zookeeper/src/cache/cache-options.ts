import { checked, count, milliseconds } from '@ha/core/driver'
import type { Node } from '../node.ts'
import { resolveOptions } from '../resolve-options.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import type { Depth } from './depth.ts'

export interface CacheOptions<T> {
  /** What is followed: the node itself (0, the default), its children (1), or it and all below it (`tree`). */
  readonly depth?: Depth | undefined
  /** Reads what a node holds; one for which it throws is left out. Default: the bytes as they are. */
  readonly decode?: ((node: Node, path: string) => T) | undefined
  /** How many reads may be under way at once. Default 32. */
  readonly maxReads?: number | undefined
  /**
   * A change is read after a random time up to this, in milliseconds, so that a thousand caches do not ask at once; what
   * changes meanwhile is read only once. Default 0.
   */
  readonly jitterMs?: number | undefined
}

/** {@link CacheOptions}, checked and completed. */
export interface ResolvedCacheOptions {
  readonly depth: Depth
  readonly decode: (node: Node, path: string) => unknown
  readonly maxReads: number
  readonly jitterMs: number
}

/** Throws `config-invalid`, which names every problem. */
export function resolveCacheOptions(given: CacheOptions<unknown> | undefined): ResolvedCacheOptions {
  return resolveOptions<ResolvedCacheOptions>(
    {
      depth: checked(readDepth, 0),
      decode: checked(readDecode, bytesAsTheyAre),
      maxReads: count({ default: 32, min: 1, max: 1_000 }),
      jitterMs: milliseconds({ default: 0, min: 0, max: 60_000 }),
    },
    given,
    'cache',
  )
}

function bytesAsTheyAre({ data }: Node): Buffer {
  return data
}

const depths: readonly Depth[] = [0, 1, 'tree']

function readDepth(value: unknown, path: string): Depth {
  const depth = depths.find((one) => one === (value ?? 0))
  if (depth === undefined) throw new ZookeeperError('config-invalid', `${path}: expected 0, 1 or 'tree'`)
  return depth
}

function readDecode(value: unknown, path: string): ResolvedCacheOptions['decode'] {
  if (value === undefined) return bytesAsTheyAre
  if (typeof value !== 'function') throw new ZookeeperError('config-invalid', `${path}: expected a function`)
  return (node, at) => value(node, at)
}
