import type { Cache } from '../cache/cache.ts'
import type { CacheOptions } from '../cache/cache-options.ts'
import type { Ground } from '../ground.ts'
import type { Bytes } from '../node.ts'
import type { Ephemeral } from '../recipes/ephemeral.ts'
import type { EphemeralOptions } from '../recipes/ephemeral-options.ts'

/** What discovery stands on. */
export interface DiscoveryGround
  extends Pick<Ground, 'clock' | 'random' | 'signal' | 'operationTimeoutMs' | 'onDefect'> {
  /** Keeps a node that is there while this client is. */
  ephemeral(path: string, data: () => Bytes, options: EphemeralOptions): Ephemeral
  /** Follows a part of the tree. */
  cache<T>(path: string, options: CacheOptions<T> & Decoding<T>): Cache<T>
}

/** How what a node holds is read, which has to be said where it is not to be bytes. */
export type Decoding<T> = { readonly decode: NonNullable<CacheOptions<T>['decode']> }
