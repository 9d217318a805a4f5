import type { Binding, Bindings } from './bindings.ts'
import { alternateOf, type Exchange } from './exchange.ts'
import { fitsHeaders } from './headers-match.ts'
import type { Publication } from './message.ts'
import { fitsTopic } from './topic-pattern.ts'

/** What routing looks at. */
export interface RouteMap {
  readonly exchanges: ReadonlyMap<string, Exchange>
  readonly bindings: Bindings
  readonly hasQueue: (name: string) => boolean
}

/** The names of the queues that a message reaches, each once. */
export function route(map: RouteMap, publication: Publication): readonly string[] {
  const reached = new Set<string>()
  const visited = new Set<string>()
  const pending = [publication.message.exchange]
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const exchange = map.exchanges.get(name)
    if (exchange === undefined || visited.has(name)) continue
    visited.add(name)
    const hop = hopFrom(map, exchange, publication)
    for (const queue of hop.queues) reached.add(queue)
    pending.push(...hop.exchanges)
  }
  return [...reached]
}

interface Hop {
  readonly queues: readonly string[]
  readonly exchanges: readonly string[]
}

function hopFrom(map: RouteMap, exchange: Exchange, publication: Publication): Hop {
  if (exchange.name === '')
    return { queues: publication.routingKeys.filter((key) => map.hasQueue(key)), exchanges: [] }
  const fitting = map.bindings.from(exchange.name).filter((binding) => fits(exchange, binding, publication))
  const alternate = alternateOf(exchange)
  if (fitting.length === 0 && alternate !== undefined) return { queues: [], exchanges: [alternate] }
  return { queues: destinations(fitting, 'queue'), exchanges: destinations(fitting, 'exchange') }
}

function destinations(bindings: readonly Binding[], kind: 'queue' | 'exchange'): readonly string[] {
  return bindings
    .filter(({ destination }) => destination.kind === kind)
    .map(({ destination }) => destination.name)
}

function fits(exchange: Exchange, binding: Binding, publication: Publication): boolean {
  switch (exchange.kind) {
    case 'fanout':
      return true
    case 'direct':
      return publication.routingKeys.includes(binding.routingKey)
    case 'topic':
      return publication.routingKeys.some((key) => fitsTopic(binding.routingKey, key))
    case 'headers':
      return fitsHeaders(binding.arguments, publication.headers)
  }
}
