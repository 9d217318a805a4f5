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
  readonly headers: Readonly<Record<string, unknown>>
  readonly messageId: string | undefined
  readonly correlationId: string | undefined
  readonly replyTo: string | undefined
  readonly type: string | undefined
  /** Whether the broker has delivered it before. */
  readonly redelivered: boolean
  /** Number of earlier deliveries, as a quorum queue counts them; undefined for other queues. */
  readonly deliveryCount: number | undefined
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
  codec: Codec<T>,
  signal: AbortSignal,
): Delivery<T> {
  const { content, fields, properties } = message
  const headers = (properties.headers ?? {}) as Readonly<Record<string, unknown>>
  const count = headers['x-delivery-count']
  return {
    body: codec.decode(content),
    content,
    queue,
    exchange: fields.exchange,
    key: fields.routingKey,
    headers,
    messageId: messageIdOf(message),
    correlationId: textOf(properties.correlationId),
    replyTo: textOf(properties.replyTo),
    type: textOf(properties.type),
    redelivered: fields.redelivered,
    deliveryCount: typeof count === 'number' ? count : undefined,
    signal,
  }
}

/** The message id that the publisher has set. */
export function messageIdOf(message: ConsumeMessage): string | undefined {
  return textOf(message.properties.messageId)
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

/** Sends the answer to a delivery. False when its channel is closed: nothing was sent. */
export function sendDisposition(
  { message, channel, closed }: ChannelDelivery,
  disposition: Disposition,
): boolean {
  if (closed.aborted) return false
  try {
    if (disposition === 'ack') channel.ack(message)
    else channel.nack(message, false, disposition === 'requeue')
    return true
  } catch {
    // The driver throws on a closed channel even before its `close` event.
    return false
  }
}
