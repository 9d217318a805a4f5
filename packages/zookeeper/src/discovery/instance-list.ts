import { isDeepStrictEqual } from 'node:util'
import { Notifier } from '@ha/core/driver'
import type { Cache } from '../cache/cache.ts'
import type { CachedNode } from '../cache/contents.ts'
import type { DiscoveryContext } from './discovery-context.ts'
import type { Instance, InstanceCodec } from './instance.ts'

/** What the registry lists under a service. */
interface InstanceListContent {
  /** In the order of their ids, each id once. */
  readonly instances: readonly Instance[]
  /** How many nodes hold something that is no instance. */
  readonly undecodable: number
}

/** Follows what the registry lists under a service, as far as it can be read. */
export class InstanceList {
  readonly path: string
  readonly #cache: Cache<Instance | undefined>
  readonly #changed = new Notifier()
  #nodes: ReadonlyMap<string, CachedNode<Instance | undefined>> = new Map()
  #content: InstanceListContent = { instances: [], undecodable: 0 }

  constructor(ground: Pick<DiscoveryContext, 'cache'>, path: string, codec: InstanceCodec, jitterMs: number) {
    this.path = path
    const decode = ({ data }: { readonly data: Buffer }): Instance | undefined => decodeInstance(data, codec)
    this.#cache = ground.cache(path, { depth: 1, decode, jitterMs })
    this.#cache.onChange(() => this.#changed.notifyAll())
    // An outage changes nothing of the list, and often its end does not either.
    this.#cache.onStale(() => this.#changed.notifyAll())
  }

  /** What was read last; undefined when nothing ever was. The same object while it is the same list. */
  get current(): InstanceListContent | undefined {
    if (this.#cache.ageMs === undefined) return undefined
    const nodes = this.#cache.current()
    if (nodes !== this.#nodes) {
      this.#nodes = nodes
      this.#content = instancesOf(nodes.values())
    }
    return this.#content
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
  changed(signal: AbortSignal): Promise<void> {
    return this.#changed.wait(signal)
  }

  close(): void {
    this.#cache.close()
  }
}

/** What a list of nodes comes to; of two with one id, the newer node counts. */
function instancesOf(nodes: Iterable<CachedNode<Instance | undefined>>): InstanceListContent {
  const byAge = [...nodes].sort((a, b) => (a.stat.czxid < b.stat.czxid ? -1 : 1))
  const byId = new Map<string, Instance>()
  let strange = 0
  for (const { value } of byAge) {
    if (value === undefined) strange += 1
    else byId.set(value.id, value)
  }
  const instances = [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  return { instances, undecodable: strange }
}

function decodeInstance(data: Buffer, codec: InstanceCodec): Instance | undefined {
  try {
    return codec.decode(data)
  } catch {
    // A codec of the user's own that stumbles over a node has found a strange one.
    return undefined
  }
}

/** The list that a view serves, and how far it can be trusted. */
export type ServedList =
  /** Nothing has been read yet. */
  | { readonly kind: 'unread'; readonly instances: readonly Instance[] }
  /** It is what the registry says. */
  | { readonly kind: 'current'; readonly instances: readonly Instance[] }
  /** The registry is away: the last good list, for as long as that takes. */
  | { readonly kind: 'stale'; readonly instances: readonly Instance[] }
  /** What the registry says, but it was away until a moment ago: `good` is the list from before. */
  | ({ readonly kind: 'returned' } & RecoveringList)
  /** The registry is back and its list has collapsed: those who are missing are kept while they register again. */
  | ({ readonly kind: 'guarded' } & RecoveringList)

interface RecoveringList {
  readonly instances: readonly Instance[]
  readonly good: readonly Instance[]
  /** When a collapsed list is believed. */
  readonly untilMs: number
}

/** What was seen of the registry: a whole list, or that it cannot be read. */
export type RegistryObservation =
  | { readonly kind: 'listed'; readonly instances: readonly Instance[] }
  | { readonly kind: 'away' }

/** When a list that has become short is not believed. */
export interface PanicThresholdOptions {
  /** How long after an outage, in milliseconds. Default 15 000. */
  readonly graceMs: number
  /** Which share of the list from before has to be there, from 0 to 1; an empty list is never enough. Default 0.5. */
  readonly share: number
}

/** Nothing has been read. */
export const unread: ServedList = { kind: 'unread', instances: [] }

/** What is served after one more sighting. */
export function afterObservation(
  served: ServedList,
  sighting: RegistryObservation,
  nowMs: number,
  rules: PanicThresholdOptions,
): ServedList {
  return sighting.kind === 'away'
    ? afterOutage(served)
    : afterListing(served, sighting.instances, nowMs, rules)
}

function afterOutage(served: ServedList): ServedList {
  switch (served.kind) {
    case 'unread':
    case 'stale':
      return served
    case 'current':
    case 'returned':
    case 'guarded':
      return { kind: 'stale', instances: served.instances }
  }
}

function afterListing(
  served: ServedList,
  listed: readonly Instance[],
  nowMs: number,
  rules: PanicThresholdOptions,
): ServedList {
  switch (served.kind) {
    case 'unread':
    case 'current':
      return { kind: 'current', instances: listed }
    case 'stale':
      return applyThreshold(listed, served.instances, nowMs + rules.graceMs, rules)
    case 'returned':
    case 'guarded':
      if (nowMs >= served.untilMs) return { kind: 'current', instances: listed }
      return applyThreshold(listed, served.good, served.untilMs, rules)
  }
}

function applyThreshold(
  listed: readonly Instance[],
  good: readonly Instance[],
  untilMs: number,
  rules: PanicThresholdOptions,
): ServedList {
  const enough = listed.length >= good.length * rules.share && (listed.length > 0 || good.length === 0)
  if (enough) return { kind: 'returned', instances: listed, good, untilMs }
  const ids = new Set(listed.map(({ id }) => id))
  const missing = good.filter(({ id }) => !ids.has(id))
  return { kind: 'guarded', instances: [...listed, ...missing], good, untilMs }
}

/** How a list differs from an earlier one. */
export interface ServiceChange {
  readonly added: readonly Instance[]
  /** As they are now. */
  readonly changed: readonly Instance[]
  /** As they were. */
  readonly removed: readonly Instance[]
}

/** The difference between two lists; undefined when there is none. */
export function changeBetween(
  before: readonly Instance[],
  after: readonly Instance[],
): ServiceChange | undefined {
  if (before === after) return undefined
  const gone = new Map(before.map((instance) => [instance.id, instance]))
  const added: Instance[] = []
  const changed: Instance[] = []
  for (const instance of after) {
    const earlier = gone.get(instance.id)
    gone.delete(instance.id)
    if (earlier === undefined) added.push(instance)
    else if (!isDeepStrictEqual(earlier, instance)) changed.push(instance)
  }
  if (added.length + changed.length + gone.size === 0) return undefined
  return { added, changed, removed: [...gone.values()] }
}

/**
 * Each difference between what was told before and what `current` says, beginning with the whole list, until the signal
 * fires. Whoever is slow misses no difference: it becomes part of the next one, so nothing piles up.
 */
export async function* changesOf(
  current: () => readonly Instance[],
  changed: Notifier,
  signal: AbortSignal,
): AsyncGenerator<ServiceChange, void, undefined> {
  let told: readonly Instance[] = []
  while (!signal.aborted) {
    const now = current()
    const change = changeBetween(told, now)
    told = now
    if (change !== undefined) yield change
    else await nextOrEnd(changed, signal)
  }
}

async function nextOrEnd(changed: Notifier, signal: AbortSignal): Promise<void> {
  try {
    await changed.wait(signal)
  } catch (reason) {
    // The end of the signal is the end of the list, and no failure.
    if (!signal.aborted) throw reason
  }
}
