import type { Cache, CacheOptions } from '../cache/cache.ts'
import type { ClientContext } from '../context.ts'
import type { ReservedPath } from '../recipes/ephemeral-registry.ts'

/** What discovery needs of its client. */
export interface DiscoveryContext
  extends Pick<ClientContext, 'clock' | 'random' | 'signal' | 'operationTimeoutMs' | 'reportDefect'> {
  /** Reserves a path for an ephemeral node. Throws `config-invalid` while this client has one there already. */
  reserve(path: string): ReservedPath
  /** Opens a cache of a part of the tree. */
  cache<T>(path: string, options: CacheOptions<T> & CacheDecoder<T>): Cache<T>
}

/** The decoder of a cache; required unless the values are bytes. */
export type CacheDecoder<T> = { readonly decode: NonNullable<CacheOptions<T>['decode']> }
