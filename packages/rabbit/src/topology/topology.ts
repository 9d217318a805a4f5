import type { Options } from '../driver/types.ts'

/** Arguments that RabbitMQ understands and this package has no word for, such as `x-max-priority`. */
export type Arguments = Readonly<Record<string, unknown>>

/** An exchange as it must be. */
export interface ExchangeSpec {
  /** One of the four, or a type that a plugin of the broker knows, such as `x-consistent-hash`. */
  readonly type: 'direct' | 'topic' | 'fanout' | 'headers' | `x-${string}`
  /** Whether it outlives a restart of the broker. Default true. */
  readonly durable?: boolean
  /** Whether it goes when its last binding goes. Default false. */
  readonly autoDelete?: boolean
  /** Whether only other exchanges may publish to it. Default false. */
  readonly internal?: boolean
  /** Where messages go that it finds no queue for. */
  readonly alternateExchange?: string
  readonly arguments?: Arguments
}

export interface QueueSettings {
  /** Where messages go that are rejected, expired or too many. */
  readonly deadLetterExchange?: string
  /** The routing key they go with. Default: the one they came with. */
  readonly deadLetterKey?: string
  /** How long a message may wait in the queue, in milliseconds. */
  readonly messageTtlMs?: number
  /** How many messages it may hold. */
  readonly maxMessages?: number
  /** How many bytes of content it may hold. */
  readonly maxBytes?: number
  /** What a full queue does. Default `drop-head`: the oldest message goes. */
  readonly overflow?: 'drop-head' | 'reject-publish'
  /**
   * Whether one consumer at a time gets messages, and the next one only when the first is gone. Default false. With
   * it, order survives the loss of a consumer: what the lost one held comes before what comes next.
   */
  readonly singleActiveConsumer?: boolean
  readonly arguments?: Arguments
}

export interface QuorumSettings extends QueueSettings {
  /** How often a message is redelivered before it is dead-lettered or dropped. Default: the broker's own (4.0: 20). */
  readonly deliveryLimit?: number
}

/** A queue as it must be. Made by {@link quorum}, {@link mirrored}, {@link classic} or {@link ephemeral}. */
export type QueueSpec =
  | { readonly kind: 'quorum'; readonly settings: QuorumSettings }
  | { readonly kind: 'mirrored' | 'classic' | 'ephemeral'; readonly settings: QueueSettings }

/** What flows from an exchange to a queue, or to another exchange. */
export type BindingSpec = {
  readonly exchange: string
  /** Routing key or pattern. Default: empty. */
  readonly key?: string
  readonly arguments?: Arguments
} & (
  | { readonly queue: string; readonly toExchange?: never }
  | { readonly toExchange: string; readonly queue?: never }
)

/** Everything that must exist for this service, put back on every connection. */
export interface Topology {
  readonly exchanges?: Readonly<Record<string, ExchangeSpec>>
  readonly queues?: Readonly<Record<string, QueueSpec>>
  readonly bindings?: readonly BindingSpec[]
}

type ExchangeSettings = Omit<ExchangeSpec, 'type'>

/** An exchange that routes by exact key. */
export function direct(settings: ExchangeSettings = {}): ExchangeSpec {
  return { ...settings, type: 'direct' }
}

/** An exchange that routes by key pattern: `*` is one word, `#` any number. */
export function topic(settings: ExchangeSettings = {}): ExchangeSpec {
  return { ...settings, type: 'topic' }
}

/** An exchange that copies every message to all its bindings. */
export function fanout(settings: ExchangeSettings = {}): ExchangeSpec {
  return { ...settings, type: 'fanout' }
}

/** An exchange that routes by message headers. */
export function headers(settings: ExchangeSettings = {}): ExchangeSpec {
  return { ...settings, type: 'headers' }
}

/** A durable queue replicated by Raft. The choice for everything that must not be lost. */
export function quorum(settings: QuorumSettings = {}): QueueSpec {
  return { kind: 'quorum', settings }
}

/**
 * A durable queue on all nodes that a policy names (`ha-mode`), as RabbitMQ up to 3.13 knows it; its consumers are
 * told when it moves. Mirroring left RabbitMQ in 4.0: there this declares a quorum queue.
 */
export function mirrored(settings: QueueSettings = {}): QueueSpec {
  return { kind: 'mirrored', settings }
}

/** A durable queue on one node. While that node is away, so is the queue. */
export function classic(settings: QueueSettings = {}): QueueSpec {
  return { kind: 'classic', settings }
}

/**
 * A queue of this connection alone: the server names it, and it is gone with the connection. Each new connection gets
 * a new one under a new name; bindings and consumers follow by the name it has in the topology.
 */
export function ephemeral(settings: QueueSettings = {}): QueueSpec {
  return { kind: 'ephemeral', settings }
}

/** One thing to declare, as data. */
export type TopologyStep =
  | { readonly kind: 'exchange'; readonly key: string; readonly name: string; readonly spec: ExchangeSpec }
  | { readonly kind: 'queue'; readonly key: string; readonly name: string; readonly spec: QueueSpec }
  | { readonly kind: 'binding'; readonly key: string; readonly spec: BindingSpec }

export const exchangeKey = (name: string): string => `exchange ${name}`
export const queueKey = (name: string): string => `queue ${name}`

/** The steps of a topology. What needs what is in {@link needsOf}, so their order does not matter. */
export function topologySteps(topology: Topology): readonly TopologyStep[] {
  const exchanges = Object.entries(topology.exchanges ?? {}).map(
    ([name, spec]): TopologyStep => ({ kind: 'exchange', key: exchangeKey(name), name, spec }),
  )
  const queues = Object.entries(topology.queues ?? {}).map(
    ([name, spec]): TopologyStep => ({ kind: 'queue', key: queueKey(name), name, spec }),
  )
  const bindings = (topology.bindings ?? []).map(
    (spec): TopologyStep => ({ kind: 'binding', key: bindingKey(spec), spec }),
  )
  return [...exchanges, ...queues, ...bindings]
}

/** What must be there before a step can be done. */
export function needsOf(step: TopologyStep): readonly string[] {
  if (step.kind !== 'binding') return []
  const { exchange, queue, toExchange } = step.spec
  return [exchangeKey(exchange), queue === undefined ? exchangeKey(toExchange) : queueKey(queue)]
}

/** Whether the broker keeps it when the connection ends. */
export function survives(step: TopologyStep, topology: Topology): boolean {
  switch (step.kind) {
    case 'exchange':
      return step.spec.autoDelete !== true
    case 'queue':
      return step.spec.kind !== 'ephemeral'
    case 'binding':
      return bindingSurvives(step.spec, topology)
  }
}

// A binding goes with either of its ends.
function bindingSurvives({ exchange, queue, toExchange }: BindingSpec, topology: Topology): boolean {
  const exchanges = toExchange === undefined ? [exchange] : [exchange, toExchange]
  const kept = exchanges.every((name) => topology.exchanges?.[name]?.autoDelete !== true)
  return kept && (queue === undefined || topology.queues?.[queue]?.kind !== 'ephemeral')
}

/** What a message published there waits for, the first time: its exchange and the bindings out of it, or its queue. */
export function routeKeys(topology: Topology, exchange: string, routingKey: string): readonly string[] {
  if (exchange === '') return topology.queues?.[routingKey] === undefined ? [] : [queueKey(routingKey)]
  if (topology.exchanges?.[exchange] === undefined) return []
  const bindings = (topology.bindings ?? []).filter((binding) => binding.exchange === exchange)
  return [exchangeKey(exchange), ...bindings.map(bindingKey)]
}

/** The declaration of a queue for a broker of that version. */
export function queueOptions({ kind, settings }: QueueSpec, version: string): Options.AssertQueue {
  const common = settingsOf(settings)
  if (kind === 'ephemeral') return { ...common, exclusive: true, autoDelete: true, durable: false }
  if (kind === 'quorum' || (kind === 'mirrored' && !supportsMirroring(version))) {
    const limit = 'deliveryLimit' in settings ? { 'x-delivery-limit': settings.deliveryLimit } : {}
    return {
      ...common,
      durable: true,
      arguments: { ...common.arguments, 'x-queue-type': 'quorum', ...limit },
    }
  }
  return { ...common, durable: true }
}

/** What a consumer of that queue says when it subscribes: a mirrored queue that moves is to cancel it, not to hide it. */
export function consumeArguments(
  spec: QueueSpec | undefined,
  version: string,
): Readonly<Record<string, unknown>> {
  return spec?.kind === 'mirrored' && supportsMirroring(version) ? { 'x-cancel-on-ha-failover': true } : {}
}

/** True up to 3.13: classic queue mirroring was removed in 4.0. */
function supportsMirroring(version: string): boolean {
  return Number.parseInt(version, 10) < 4
}

function bindingKey({ exchange, queue, toExchange, key = '', arguments: args }: BindingSpec): string {
  const target = queue === undefined ? exchangeKey(toExchange) : queueKey(queue)
  const extra = args === undefined ? '' : ` ${JSON.stringify(args)}`
  return `binding ${exchange} -> ${target} '${key}'${extra}`
}

function settingsOf(
  settings: QueueSettings,
): Options.AssertQueue & { readonly arguments: Readonly<Record<string, unknown>> } {
  const named: readonly (readonly [string, unknown])[] = [
    ['x-dead-letter-exchange', settings.deadLetterExchange],
    ['x-dead-letter-routing-key', settings.deadLetterKey],
    ['x-message-ttl', settings.messageTtlMs],
    ['x-max-length', settings.maxMessages],
    ['x-max-length-bytes', settings.maxBytes],
    ['x-overflow', settings.overflow],
    ['x-single-active-consumer', settings.singleActiveConsumer],
  ]
  const given = named.filter(([, value]) => value !== undefined)
  return { arguments: { ...settings.arguments, ...Object.fromEntries(given) } }
}
