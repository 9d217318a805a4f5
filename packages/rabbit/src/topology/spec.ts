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
