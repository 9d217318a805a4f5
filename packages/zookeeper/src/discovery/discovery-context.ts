import type { Cache, CacheOptions } from '../cache/cache.ts'
import type { ClientContext } from '../context.ts'
import type { ReservedPath } from '../recipes/ephemeral-registry.ts'

/** What discovery stands on. */
export interface DiscoveryContext
  extends Pick<ClientContext, 'clock' | 'random' | 'signal' | 'operationTimeoutMs' | 'reportDefect'> {
  /** Keeps a path for a node that is there while this client is. Throws `config-invalid` while it has one already. */
  reserve(path: string): ReservedPath
  /** Follows a part of the tree. */
  cache<T>(path: string, options: CacheOptions<T> & CacheDecoder<T>): Cache<T>
}

/** How what a node holds is read, which has to be said where it is not to be bytes. */
export type CacheDecoder<T> = { readonly decode: NonNullable<CacheOptions<T>['decode']> }
