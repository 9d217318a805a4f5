import { isDeepStrictEqual } from 'node:util'
import { Notifier } from '@ha/core/driver'
import type { Cache } from '../cache/cache.ts'
import type { CachedNode } from '../cache/contents.ts'
import type { DiscoveryContext } from './discovery-context.ts'
import type { Instance, InstanceCodec } from './instance.ts'

/** The instances of a service in the registry. */
interface InstanceListContent {
  /** Ordered by id, each id once. */
  readonly instances: readonly Instance[]
  /** The number of nodes that do not contain an instance. */
  readonly undecodable: number
}

/** The list of a service's instances, as read from the registry. */
export class InstanceList {
  readonly path: string
  readonly #cache: Cache<Instance | undefined>
  readonly #changed = new Notifier()
  #nodes: ReadonlyMap<string, CachedNode<Instance | undefined>> = new Map()
  #content: InstanceListContent = { instances: [], undecodable: 0 }

  constructor(
    context: Pick<DiscoveryContext, 'cache'>,
    path: string,
    codec: InstanceCodec,
    jitterMs: number,
  ) {
    this.path = path
    const decode = ({ data }: { readonly data: Buffer }): Instance | undefined => decodeInstance(data, codec)
    this.#cache = context.cache(path, { depth: 1, decode, jitterMs })
    this.#cache.onChange(() => this.#changed.notifyAll())
    // The start of an outage does not change the list, and its end often does not either.
    this.#cache.onStale(() => this.#changed.notifyAll())
  }

  /** The last content that was read; undefined before the first read. The same object while the list is unchanged. */
  get current(): InstanceListContent | undefined {
    if (this.#cache.ageMs === undefined) return undefined
    const nodes = this.#cache.current()
    if (nodes !== this.#nodes) {
      this.#nodes = nodes
      this.#content = instancesOf(nodes.values())
    }
    return this.#content
  }

  /** Whether the registry may have changed since. */
  get stale(): boolean {
    return this.#cache.stale
  }

  /** The error of reading the list or one of its nodes; undefined when all could be read. */
  get problem(): Error | undefined {
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

/** The instances in these nodes. Of two nodes with one id, the younger one counts. */
export function instancesOf(nodes: Iterable<CachedNode<Instance | undefined>>): InstanceListContent {
  const byAge = [...nodes].sort((a, b) => (a.stat.czxid < b.stat.czxid ? -1 : 1))
  const byId = new Map<string, Instance>()
  let undecodable = 0
  for (const { value } of byAge) {
    if (value === undefined) undecodable += 1
    else byId.set(value.id, value)
  }
  const instances = [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  return { instances, undecodable }
}

function decodeInstance(data: Buffer, codec: InstanceCodec): Instance | undefined {
  try {
    return codec.decode(data)
  } catch {
    // A node for which the application's codec throws counts as undecodable.
    return undefined
  }
}

/** The list that a view serves, and how current it is. */
export type ServedList =
  /** Nothing has been read yet. */
  | { readonly kind: 'unread'; readonly instances: readonly Instance[] }
  /** The list of the registry. */
  | { readonly kind: 'current'; readonly instances: readonly Instance[] }
  /** The registry is unavailable: the last good list is served until it is back. */
  | { readonly kind: 'stale'; readonly instances: readonly Instance[] }
  /** The list of the registry shortly after an outage. `good` is the list from before. */
  | ({ readonly kind: 'recovered' } & RecoveringList)
  /** After an outage the list is shorter than the threshold: missing instances are kept while they register again. */
  | ({ readonly kind: 'guarded' } & RecoveringList)

interface RecoveringList {
  readonly instances: readonly Instance[]
  readonly good: readonly Instance[]
  /** From then on, a short list is served as it is. */
  readonly untilMs: number
}

/** An observation of the registry: the complete list, or that it cannot be read. */
export type RegistryObservation =
  | { readonly kind: 'listed'; readonly instances: readonly Instance[] }
  | { readonly kind: 'unavailable' }

/** When a list that became short in an outage is not used yet. */
export interface PanicThresholdOptions {
  /** How long after an outage, in milliseconds. Default 15 000. */
  readonly graceMs: number
  /** The required share of the list from before, from 0 to 1. An empty list is never sufficient. Default 0.5. */
  readonly share: number
}

/** The list before the first read. */
export const initialServedList: ServedList = { kind: 'unread', instances: [] }

/** The list to serve after another observation. */
export function afterObservation(
  served: ServedList,
  observation: RegistryObservation,
  nowMs: number,
  threshold: PanicThresholdOptions,
): ServedList {
  return observation.kind === 'unavailable'
    ? duringOutage(served)
    : afterRead(served, observation.instances, nowMs, threshold)
}

function duringOutage(served: ServedList): ServedList {
  switch (served.kind) {
    case 'unread':
    case 'stale':
      return served
    case 'current':
    case 'recovered':
    case 'guarded':
      return { kind: 'stale', instances: served.instances }
  }
}

function afterRead(
  served: ServedList,
  listed: readonly Instance[],
  nowMs: number,
  threshold: PanicThresholdOptions,
): ServedList {
  switch (served.kind) {
    case 'unread':
    case 'current':
      return { kind: 'current', instances: listed }
    case 'stale':
      return applyThreshold(listed, served.instances, nowMs + threshold.graceMs, threshold)
    case 'recovered':
    case 'guarded':
      if (nowMs >= served.untilMs) return { kind: 'current', instances: listed }
      return applyThreshold(listed, served.good, served.untilMs, threshold)
  }
}

function applyThreshold(
  listed: readonly Instance[],
  good: readonly Instance[],
  untilMs: number,
  threshold: PanicThresholdOptions,
): ServedList {
  const enough = listed.length >= good.length * threshold.share && (listed.length > 0 || good.length === 0)
  if (enough) return { kind: 'recovered', instances: listed, good, untilMs }
  const ids = new Set(listed.map(({ id }) => id))
  const missing = good.filter(({ id }) => !ids.has(id))
  return { kind: 'guarded', instances: [...listed, ...missing], good, untilMs }
}

/** The difference between two lists. */
export interface ServiceChange {
  /** With their values. */
  readonly added: readonly Instance[]
  /** With their new values. */
  readonly changed: readonly Instance[]
  /** With their last values. */
  readonly removed: readonly Instance[]
}

/** The difference between two lists; undefined when they are equal. */
export function changeBetween(
  before: readonly Instance[],
  after: readonly Instance[],
): ServiceChange | undefined {
  if (before === after) return undefined
  const removed = new Map(before.map((instance) => [instance.id, instance]))
  const added: Instance[] = []
  const changed: Instance[] = []
  for (const instance of after) {
    const earlier = removed.get(instance.id)
    removed.delete(instance.id)
    if (earlier === undefined) added.push(instance)
    else if (!isDeepStrictEqual(earlier, instance)) changed.push(instance)
  }
  if (added.length + changed.length + removed.size === 0) return undefined
  return { added, changed, removed: [...removed.values()] }
}

/**
 * Yields the difference between the list yielded before and `current()`, the whole list first, until the signal fires.
 * For a slow reader, several differences become one, so that nothing accumulates.
 */
export async function* changesOf(
  current: () => readonly Instance[],
  changed: Notifier,
  signal: AbortSignal,
): AsyncGenerator<ServiceChange, void, undefined> {
  let last: readonly Instance[] = []
  while (!signal.aborted) {
    const now = current()
    const change = changeBetween(last, now)
    last = now
    if (change !== undefined) yield change
    else await nextOrEnd(changed, signal)
  }
}

async function nextOrEnd(changed: Notifier, signal: AbortSignal): Promise<void> {
  try {
    await changed.wait(signal)
  } catch (reason) {
    // The end of the signal ends the iteration without an error.
    if (!signal.aborted) throw reason
  }
}
