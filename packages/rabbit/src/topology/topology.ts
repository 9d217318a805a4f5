import type { Options } from '../driver/types.ts'

/** Arguments of RabbitMQ for which this package has no option, such as `x-max-priority`. */
export type Arguments = Readonly<Record<string, unknown>>

/** The declaration of an exchange. */
export interface ExchangeSpec {
  /** One of the four standard types, or the type of a plugin, such as `x-consistent-hash`. */
  readonly type: 'direct' | 'topic' | 'fanout' | 'headers' | `x-${string}`
  /** Whether it survives a restart of the broker. Default true. */
  readonly durable?: boolean
  /** Whether the broker deletes it with its last binding. Default false. */
  readonly autoDelete?: boolean
  /** Whether only other exchanges may publish to it. Default false. */
  readonly internal?: boolean
  /** Exchange for messages that match no binding. */
  readonly alternateExchange?: string
  /** Whether another service declares it: it must exist, and nothing is compared or created. Default false. */
  readonly passive?: boolean
  readonly arguments?: Arguments
}

export interface QueueSettings {
  /** Exchange for messages that are rejected, expired, or dropped because the queue is full. */
  readonly deadLetterExchange?: string
  /** Routing key of dead-lettered messages. Default: their own. */
  readonly deadLetterKey?: string
  /** How long a message may stay in the queue, in milliseconds. */
  readonly messageTtlMs?: number
  /** Maximum number of messages. */
  readonly maxMessages?: number
  /** Maximum size of all message bodies together, in bytes. */
  readonly maxBytes?: number
  /** What a full queue does. Default `drop-head`: it drops the oldest message. */
  readonly overflow?: 'drop-head' | 'reject-publish'
  /**
   * Whether only one consumer at a time receives messages; another one takes over when it is gone. Default false. With
   * it, the order of messages survives the loss of a consumer: its unacknowledged messages are delivered first.
   */
  readonly singleActiveConsumer?: boolean
  /** How long the queue may stay without consumers until the broker deletes it, in milliseconds. Default: for ever. */
  readonly expiresMs?: number
  readonly arguments?: Arguments
}

/** Whether a queue is declared, or only used. */
export interface PassiveSetting {
  /**
   * Whether another service declares the queue: it must exist, and nothing is compared or created. No other setting may be
   * given then. Default false.
   */
  readonly passive?: boolean
}

/** The settings of a classic queue: every queue that other clients declare can be described. */
export interface ClassicSettings extends QueueSettings, PassiveSetting {
  /** Whether it survives a restart of the broker. Default true. RabbitMQ 4.3 refuses false without `exclusive`. */
  readonly durable?: boolean
  /** Whether the broker deletes it with its last consumer. Default false. */
  readonly autoDelete?: boolean
  /** Whether only this connection may use it; the broker deletes it with the connection. Default false. */
  readonly exclusive?: boolean
  /** The highest priority of its messages, from 1 to 255; RabbitMQ advises up to 10. Default: no priorities. */
  readonly maxPriority?: number
}

export interface QuorumSettings extends QueueSettings, PassiveSetting {
  /** How often a message is redelivered before it is dead-lettered or dropped. Default: the broker's own (4.0: 20). */
  readonly deliveryLimit?: number
}

/** The settings of a stream: a replicated log, which consumers read without removing anything. */
export interface StreamSettings extends PassiveSetting {
  /** Maximum size of the stream, in bytes; the oldest segments are deleted. Default: no limit. */
  readonly maxBytes?: number
  /** How long messages are kept, as the broker writes it: a number and `Y`, `M`, `D`, `h`, `m` or `s`. Default: for ever. */
  readonly maxAge?: string
  /** Size of the files of the stream, in bytes. Default: the broker's own (500 MB). */
  readonly maxSegmentBytes?: number
  readonly arguments?: Arguments
}

/**
 * The declaration of a queue. Created by {@link quorum}, {@link mirrored}, {@link classic}, {@link stream} or
 * {@link ephemeral}.
 */
export type QueueSpec =
  | { readonly kind: 'quorum'; readonly settings: QuorumSettings }
  | { readonly kind: 'stream'; readonly settings: StreamSettings }
  | { readonly kind: 'classic'; readonly settings: ClassicSettings }
  | { readonly kind: 'mirrored' | 'ephemeral'; readonly settings: QueueSettings }

/** A binding from an exchange to a queue or to another exchange. */
export type BindingSpec = {
  readonly exchange: string
  /** Routing key or pattern. Default: empty. */
  readonly key?: string
  readonly arguments?: Arguments
} & (
  | { readonly queue: string; readonly toExchange?: never }
  | { readonly toExchange: string; readonly queue?: never }
)

/** Everything that must exist on the broker for this service; declared on every connection. */
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

/** A durable queue replicated by Raft. Use it for everything that must not be lost. */
export function quorum(settings: QuorumSettings = {}): QueueSpec {
  return { kind: 'quorum', settings }
}

/** A stream: durable, replicated, and read without removing anything, from any offset. */
export function stream(settings: StreamSettings = {}): QueueSpec {
  return { kind: 'stream', settings }
}

/**
 * A durable queue mirrored to the nodes that a policy names (`ha-mode`), for RabbitMQ up to 3.13; its consumers are
 * cancelled when it moves, and subscribe again. RabbitMQ 4.0 removed mirroring: there this declares a quorum queue.
 */
export function mirrored(settings: QueueSettings = {}): QueueSpec {
  return { kind: 'mirrored', settings }
}

/** A queue on one node, durable by default. While that node is down, the queue is unavailable. */
export function classic(settings: ClassicSettings = {}): QueueSpec {
  return { kind: 'classic', settings }
}

/**
 * An exclusive, server-named queue that the broker deletes with the connection. Each new connection gets a new one
 * under a new name; bindings and consumers refer to it by its name in the topology.
 */
export function ephemeral(settings: QueueSettings = {}): QueueSpec {
  return { kind: 'ephemeral', settings }
}

/** One declaration, as data. */
export type TopologyStep =
  | { readonly kind: 'exchange'; readonly key: string; readonly name: string; readonly spec: ExchangeSpec }
  | { readonly kind: 'queue'; readonly key: string; readonly name: string; readonly spec: QueueSpec }
  | { readonly kind: 'binding'; readonly key: string; readonly spec: BindingSpec }

export const exchangeKey = (name: string): string => `exchange ${name}`
export const queueKey = (name: string): string => `queue ${name}`

/** The steps of a topology. Their order does not matter: {@link needsOf} holds the dependencies. */
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

/** The keys of the steps that must be done before this one. */
export function needsOf(step: TopologyStep): readonly string[] {
  if (step.kind !== 'binding') return []
  const { exchange, queue, toExchange } = step.spec
  return [exchangeKey(exchange), queue === undefined ? exchangeKey(toExchange) : queueKey(queue)]
}

/** Whether the broker keeps the result of a step when the connection ends. */
export function survives(step: TopologyStep, topology: Topology): boolean {
  switch (step.kind) {
    case 'exchange':
      return step.spec.autoDelete !== true
    case 'queue':
      return queueSurvives(step.spec)
    case 'binding':
      return bindingSurvives(step.spec, topology)
  }
}

// What can vanish by itself is never taken for proven: with its connection, its last consumer, its time, or its node.
function queueSurvives({ kind, settings }: QueueSpec): boolean {
  if (kind === 'stream') return true
  if (kind === 'ephemeral' || settings.expiresMs !== undefined) return false
  if (settings.arguments?.['x-expires'] !== undefined) return false
  if (kind !== 'classic') return true
  return settings.durable !== false && settings.autoDelete !== true && settings.exclusive !== true
}

// The broker deletes a binding together with either of its ends.
function bindingSurvives({ exchange, queue, toExchange }: BindingSpec, topology: Topology): boolean {
  const exchanges = toExchange === undefined ? [exchange] : [exchange, toExchange]
  const kept = exchanges.every((name) => topology.exchanges?.[name]?.autoDelete !== true)
  const spec = queue === undefined ? undefined : topology.queues?.[queue]
  return kept && (spec === undefined || queueSurvives(spec))
}

/**
 * The declarations that a message waits for: its exchange and the bindings from it, or, through the default exchange,
 * its queue. Empty for what is not in the topology.
 */
export function routeKeys(topology: Topology, exchange: string, routingKey: string): readonly string[] {
  if (exchange === '') return topology.queues?.[routingKey] === undefined ? [] : [queueKey(routingKey)]
  if (topology.exchanges?.[exchange] === undefined) return []
  const bindings = (topology.bindings ?? []).filter((binding) => binding.exchange === exchange)
  return [exchangeKey(exchange), ...bindings.map(bindingKey)]
}

// Types that return a mandatory message as unroutable though it may reach a queue: later, or because an equal message
// has reached it before.
const unreliableReturns: readonly string[] = ['x-delayed-message', 'x-message-deduplication']

/**
 * The exchanges whose `basic.return` does not mean that no queue gets the message: those of such types, and those that
 * lead to one of them through a binding or as their alternate exchange.
 */
export function exchangesWithUnreliableReturns({
  exchanges = {},
  bindings = [],
}: Topology): ReadonlySet<string> {
  const found = new Set<string>()
  const leadsToFound = (name: string): boolean =>
    bindings.some(({ exchange, toExchange }) => exchange === name && found.has(toExchange ?? ''))
  const isUnreliable = ([name, { type, alternateExchange = '' }]: readonly [string, ExchangeSpec]): boolean =>
    unreliableReturns.includes(type) || found.has(alternateExchange) || leadsToFound(name)
  let size = -1
  while (found.size > size) {
    size = found.size
    for (const entry of Object.entries(exchanges)) if (isUnreliable(entry)) found.add(entry[0])
  }
  return found
}

/** The exchanges whose type ignores the routing key. */
export function exchangesThatIgnoreKeys({ exchanges = {} }: Topology): ReadonlySet<string> {
  const found = Object.entries(exchanges).filter(([, { type }]) => type === 'fanout' || type === 'headers')
  return new Set(found.map(([name]) => name))
}

/** Whether another service declares the queue. */
export function isPassive({ settings }: QueueSpec): boolean {
  return 'passive' in settings && settings.passive === true
}

/** The driver's options to declare a queue on a broker of that version. */
export function queueOptions({ kind, settings }: QueueSpec, version: string): Options.AssertQueue {
  if (kind === 'stream') return streamOptions(settings)
  const common = settingsOf(settings)
  if (kind === 'classic') return classicOptions(settings, common)
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

function streamOptions({
  maxBytes,
  maxAge,
  maxSegmentBytes,
  arguments: given,
}: StreamSettings): Options.AssertQueue {
  const named = {
    'x-max-length-bytes': maxBytes,
    'x-max-age': maxAge,
    'x-stream-max-segment-size-bytes': maxSegmentBytes,
  }
  const set = Object.entries(named).filter(([, value]) => value !== undefined)
  return { durable: true, arguments: { ...given, 'x-queue-type': 'stream', ...Object.fromEntries(set) } }
}

function classicOptions(
  { durable = true, autoDelete, exclusive, maxPriority }: ClassicSettings,
  common: ReturnType<typeof settingsOf>,
): Options.AssertQueue {
  const priority = maxPriority === undefined ? {} : { 'x-max-priority': maxPriority }
  return {
    durable,
    ...(autoDelete === true && { autoDelete }),
    ...(exclusive === true && { exclusive }),
    arguments: { ...common.arguments, ...priority },
  }
}

/**
 * Arguments of a consumer. A mirrored queue that moves must cancel its consumers instead of staying silent; the default
 * offset of a stream is named, so that the consumer knows it.
 */
export function consumeArguments(
  spec: QueueSpec | undefined,
  version: string,
): Readonly<Record<string, unknown>> {
  if (spec?.kind === 'stream' || spec?.settings.arguments?.['x-queue-type'] === 'stream')
    return { 'x-stream-offset': 'next' }
  return spec?.kind === 'mirrored' && supportsMirroring(version) ? { 'x-cancel-on-ha-failover': true } : {}
}

/** True up to 3.13: classic queue mirroring was removed in 4.0. */
function supportsMirroring(version: string): boolean {
  return Number.parseInt(version, 10) < 4
}

function bindingKey({ exchange, queue, toExchange, key = '', arguments: args }: BindingSpec): string {
  const target = queue === undefined ? exchangeKey(toExchange) : queueKey(queue)
  const extra =
    args === undefined
      ? ''
      : ` ${JSON.stringify(args, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))}`
  return `binding ${exchange} -> ${target} '${key}'${extra}`
}

function settingsOf(
  settings: QueueSettings,
): Options.AssertQueue & { readonly arguments: Readonly<Record<string, unknown>> } {
  const named: readonly (readonly [string, unknown])[] = [
    ['x-dead-letter-exchange', settings.deadLetterExchange],
    ['x-dead-letter-routing-key', settings.deadLetterKey],
    ['x-message-ttl', settings.messageTtlMs],
    ['x-expires', settings.expiresMs],
    ['x-max-length', settings.maxMessages],
    ['x-max-length-bytes', settings.maxBytes],
    // A broker compares arguments as they are written: a default that is sent conflicts with a queue without it.
    ['x-overflow', settings.overflow === 'drop-head' ? undefined : settings.overflow],
    ['x-single-active-consumer', settings.singleActiveConsumer === true ? true : undefined],
  ]
  const given = named.filter(([, value]) => value !== undefined)
  return { arguments: { ...settings.arguments, ...Object.fromEntries(given) } }
}
