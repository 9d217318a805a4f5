import type { Cache } from '../cache/cache.ts'
import type { CacheOptions } from '../cache/cache-options.ts'
import type { Ground } from '../ground.ts'
import type { ReservedPath } from '../recipes/ephemerals.ts'

/** What discovery stands on. */
export interface DiscoveryGround
  extends Pick<Ground, 'clock' | 'random' | 'signal' | 'operationTimeoutMs' | 'onDefect'> {
  /** Keeps a path for a node that is there while this client is. Throws `config-invalid` while it has one already. */
  reserve(path: string): ReservedPath
  /** Follows a part of the tree. */
  cache<T>(path: string, options: CacheOptions<T> & Decoding<T>): Cache<T>
}

/** How what a node holds is read, which has to be said where it is not to be bytes. */
export type Decoding<T> = { readonly decode: NonNullable<CacheOptions<T>['decode']> }
