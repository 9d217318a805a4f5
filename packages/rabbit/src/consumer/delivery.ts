import type { HaError } from '@ha/core'
import type { Codec } from '../codec.ts'
import type { Channel, ConsumeMessage } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'

/** The answer to a delivery: acknowledge it, requeue it, or reject it (to the dead-letter exchange, if there is one). */
export type Disposition = 'ack' | 'requeue' | 'reject'

/** One message, as its handler receives it. */
export interface Delivery<T> {
  readonly body: T
  /** The encoded body. */
  readonly content: Buffer
  readonly queue: string
  readonly exchange: string
  readonly key: string
  /** A time in a header is a `Date`. */
  readonly headers: Readonly<Record<string, unknown>>
  readonly messageId: string | undefined
  readonly correlationId: string | undefined
  readonly replyTo: string | undefined
  readonly type: string | undefined
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
  /** Seconds since 1970, as its publisher set them. */
  readonly timestamp: number | undefined
  readonly priority: number | undefined
  /** How long it was allowed to stay in a queue, in milliseconds. Dead-lettering removes it. */
  readonly expirationMs: number | undefined
  readonly appId: string | undefined
  /** The user that published it; the broker refuses a false one. */
  readonly userId: string | undefined
  /** Whether it survives a restart of the broker. */
  readonly persistent: boolean
  /** Whether the broker has delivered it before. */
  readonly redelivered: boolean
  /**
   * Number of earlier deliveries that a quorum queue counts towards its delivery limit; undefined for other queues.
   * From RabbitMQ 4.3, only failed deliveries count.
   */
  readonly deliveryCount: number | undefined
  /** Number of all earlier deliveries, as a quorum queue counts them from RabbitMQ 4.3; undefined elsewhere. */
  readonly acquiredCount: number | undefined
  /** Number of the attempt, from 1, as the consumer's `retry` or else a quorum queue counts it; 1 elsewhere. */
  readonly attempt: number
  /** Fires when its channel is closed: the broker will redeliver the message. */
  readonly signal: AbortSignal
}

/**
 * Handles one delivery. A result that is not a string means `ack`, and so does none. An error, or a string that is no
 * disposition, is handled according to `onError` of the consumer.
 */
export type DeliveryHandler<T> = (delivery: Delivery<T>) => Handled | Promise<Handled>

// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing is the usual one.
type Handled = Disposition | void

/**
 * Handles a message that the codec cannot decode: `content` has its bytes, and `error` what the codec threw. A result
 * means the same as that of a {@link DeliveryHandler}, and so does an error.
 */
export type DecodeErrorHandler = (delivery: Delivery<undefined>, error: HaError) => Handled | Promise<Handled>

/** The disposition that a handler's result means. Throws for a string that is no disposition. */
export function dispositionOf(result: unknown, queue: string): Disposition {
  if (typeof result !== 'string') return 'ack'
  const disposition = dispositions.find((known) => known === result)
  if (disposition !== undefined) return disposition
  const expected = `expected ${dispositions.join(', ')} or nothing`
  throw rabbitError('config-invalid', `the handler of '${queue}' returned '${result}': ${expected}`)
}

const dispositions: readonly Disposition[] = ['ack', 'requeue', 'reject']

/** Decodes a message; throws what the codec throws. */
export function deliveryOf<T>(
  message: ConsumeMessage,
  queue: string,
  codec: Pick<Codec<T>, 'decode'>,
  signal: AbortSignal,
): Delivery<T> {
  const { content, fields, properties } = message
  const headers = headersOf(message)
  const expirationMs = Number(properties.expiration ?? Number.NaN)
  return {
    body: codec.decode(content),
    content,
    queue,
    exchange: textOf(headers[retryHeader.exchange]) ?? fields.exchange,
    key: textOf(headers[retryHeader.key]) ?? fields.routingKey,
    headers,
    messageId: messageIdOf(message),
    correlationId: textOf(properties.correlationId),
    replyTo: textOf(properties.replyTo),
    type: textOf(properties.type),
    contentType: textOf(properties.contentType),
    contentEncoding: textOf(properties.contentEncoding),
    timestamp: numberOf(properties.timestamp),
    priority: numberOf(properties.priority),
    expirationMs: Number.isFinite(expirationMs) ? expirationMs : undefined,
    appId: textOf(properties.appId),
    userId: textOf(properties.userId),
    persistent: properties.deliveryMode === 2,
    redelivered: fields.redelivered,
    deliveryCount: numberOf(headers['x-delivery-count']),
    acquiredCount: numberOf(headers['x-acquired-count']),
    attempt: (attemptsBefore(message) || (numberOf(headers['x-delivery-count']) ?? 0)) + 1,
    signal,
  }
}

function headersOf({ properties }: ConsumeMessage): Readonly<Record<string, unknown>> {
  return readTable((properties.headers ?? {}) as FieldTable)
}

type FieldTable = Readonly<Record<string, unknown>>

function readTable(table: FieldTable): FieldTable {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [name, readField(value)]))
}

// The driver marks a time in seconds with the type '!': 'timestamp'.
function readField(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readField)
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value
  const table = value as FieldTable
  if (table['!'] === 'timestamp') return new Date(Number(table['value']) * 1_000)
  return table['!'] === undefined ? readTable(table) : value
}

// A message that waited in a retry queue comes from the default exchange: these headers have what it was published with.
const retryHeader = {
  attempts: 'x-retry-attempts',
  exchange: 'x-retry-exchange',
  key: 'x-retry-key',
} as const

/** How often its handler has failed in earlier attempts, as the `retry` of a consumer counts. */
export function attemptsBefore({ properties }: ConsumeMessage): number {
  const count = Number(properties.headers?.[retryHeader.attempts] ?? 0)
  return Number.isSafeInteger(count) && count > 0 ? count : 0
}

/** The headers of a message that is published again after that many failures. */
export function retryHeaders({ fields, properties }: ConsumeMessage, attempts: number): FieldTable {
  const { exchange = fields.exchange, key = fields.routingKey } = {
    exchange: textOf(properties.headers?.[retryHeader.exchange]),
    key: textOf(properties.headers?.[retryHeader.key]),
  }
  return { [retryHeader.attempts]: attempts, [retryHeader.exchange]: exchange, [retryHeader.key]: key }
}

/** The message id that the publisher has set. */
export function messageIdOf(message: ConsumeMessage): string | undefined {
  return textOf(message.properties.messageId)
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** A message with the channel that delivered it: only on this channel can it be answered. */
export interface ChannelDelivery {
  readonly message: ConsumeMessage
  readonly channel: Channel
  /** Fires when it can no longer be answered: the broker redelivers the message. */
  readonly closed: AbortSignal
}

/** A running handler. */
export interface HandlerRun {
  /** The latest delivery of its message: its answer is sent there. */
  latest: ChannelDelivery
}

/**
 * What is sent to the broker. `failed` requeues with `basic.reject`, and `requeue` with `basic.nack`: from RabbitMQ 4.3,
 * a quorum queue counts only the former towards its delivery limit.
 */
export type Answer = Disposition | 'failed'

/** Sends the answer to a delivery. False when its channel is closed: nothing was sent. */
export function sendAnswer({ message, channel, closed }: ChannelDelivery, answer: Answer): boolean {
  if (closed.aborted) return false
  try {
    if (answer === 'ack') channel.ack(message)
    else if (answer === 'requeue') channel.nack(message, false, true)
    else channel.reject(message, answer === 'failed')
    return true
  } catch {
    // The driver throws on a closed channel even before its `close` event.
    return false
  }
}
