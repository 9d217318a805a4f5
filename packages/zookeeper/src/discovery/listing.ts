import { Notifier } from '@ha/core/driver'
import type { Cache, CachedNode } from '../cache/cache.ts'
import type { InstanceCodec } from './codec.ts'
import type { DiscoveryGround } from './discovery-ground.ts'
import type { Instance } from './instance.ts'

/** What the registry lists under a service. */
export interface Listed {
  /** In the order of their ids, each id once. */
  readonly instances: readonly Instance[]
  /** How many nodes hold something that is no instance. */
  readonly strange: number
}

/** Follows what the registry lists under a service, as far as it can be read. */
export class Listing {
  readonly path: string
  readonly #cache: Cache<Instance | undefined>
  readonly #news = new Notifier()
  #from: ReadonlyMap<string, CachedNode<Instance | undefined>> = new Map()
  #listed: Listed = { instances: [], strange: 0 }

  constructor(ground: Pick<DiscoveryGround, 'cache'>, path: string, codec: InstanceCodec, jitterMs: number) {
    this.path = path
    const decode = ({ data }: { readonly data: Buffer }): Instance | undefined => instanceIn(data, codec)
    this.#cache = ground.cache(path, { depth: 1, decode, jitterMs })
    this.#cache.onChange(() => this.#news.notifyAll())
    // An outage changes nothing of the list, and often its end does not either.
    this.#cache.onStale(() => this.#news.notifyAll())
  }

  /** What was read last; undefined when nothing ever was. The same object while it is the same list. */
  get current(): Listed | undefined {
    if (this.#cache.ageMs === undefined) return undefined
    const nodes = this.#cache.current()
    if (nodes !== this.#from) {
      this.#from = nodes
      this.#listed = listed(nodes.values())
    }
    return this.#listed
  }

  /** Whether the registry may say something else by now. */
  get stale(): boolean {
    return this.#cache.stale
  }

  /** What reading the list failed with, or reading one of its nodes; undefined when all could be read. */
  get trouble(): Error | undefined {
    const [first] = this.#cache.problems.values()
    return first
  }

  /** Resolves when {@link current} or {@link stale} may have changed; rejects with the signal's reason. */
  news(signal: AbortSignal): Promise<void> {
    return this.#news.wait(signal)
  }

  close(): void {
    this.#cache.close()
  }
}

/** What a list of nodes comes to; of two with one id, the newer node counts. */
export function listed(nodes: Iterable<CachedNode<Instance | undefined>>): Listed {
  const byAge = [...nodes].sort((a, b) => (a.stat.czxid < b.stat.czxid ? -1 : 1))
  const byId = new Map<string, Instance>()
  let strange = 0
  for (const { value } of byAge) {
    if (value === undefined) strange += 1
    else byId.set(value.id, value)
  }
  const instances = [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  return { instances, strange }
}

function instanceIn(data: Buffer, codec: InstanceCodec): Instance | undefined {
  try {
    return codec.decode(data)
  } catch {
    // A codec of the user's own that stumbles over a node has found a strange one.
    return undefined
  }
}
