import type { Codec } from '../codec.ts'
import type { Channel, ConsumeMessage } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'

/** What becomes of a delivery: done with, back into the queue, or away (to the dead-letter exchange, if there is one). */
export type Disposition = 'ack' | 'requeue' | 'reject'

/** One message on its way through a handler. */
export interface Delivery<T> {
  readonly body: T
  /** The bytes as they came. */
  readonly content: Buffer
  readonly queue: string
  readonly exchange: string
  readonly key: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly messageId: string | undefined
  readonly correlationId: string | undefined
  readonly replyTo: string | undefined
  readonly type: string | undefined
  /** Whether the broker has handed it out before. */
  readonly redelivered: boolean
  /** How often it was handed out before, as a quorum queue counts it; undefined elsewhere. */
  readonly deliveryCount: number | undefined
  /** Fires when its channel is gone: the broker will hand the message out again. */
  readonly signal: AbortSignal
}

/**
 * Handles one delivery. Returning nothing means `ack`, and so does whatever is no text; what it throws, or a word
 * that means nothing, is handled as the consumer's `onError` says.
 */
export type DeliveryHandler<T> = (delivery: Delivery<T>) => Handled | Promise<Handled>

// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing is the usual one.
type Handled = Disposition | void

/** What a handler's result means. Throws at a text that is none of the words. */
export function dispositionOf(result: unknown, queue: string): Disposition {
  if (typeof result !== 'string') return 'ack'
  const word = words.find((known) => known === result)
  if (word !== undefined) return word
  const expected = `expected ${words.join(', ')} or nothing`
  throw rabbitError('config-invalid', `the handler of '${queue}' returned '${result}': ${expected}`)
}

const words: readonly Disposition[] = ['ack', 'requeue', 'reject']

/** The delivery that a handler sees; throws what the codec throws. */
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
    messageId: idOf(message),
    correlationId: textOf(properties.correlationId),
    replyTo: textOf(properties.replyTo),
    type: textOf(properties.type),
    redelivered: fields.redelivered,
    deliveryCount: typeof count === 'number' ? count : undefined,
    signal,
  }
}

/** The name that the publisher gave to a message. */
export function idOf(message: ConsumeMessage): string | undefined {
  return textOf(message.properties.messageId)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** A message and the channel that it came on: the only one on which it can be answered. */
export interface ChannelDelivery {
  readonly message: ConsumeMessage
  readonly channel: Channel
  /** Fires when it can no longer be answered: the broker hands the message out again. */
  readonly closed: AbortSignal
}

/** A handler at work. */
export interface HandlerRun {
  /** What its answer goes to: what came last of its message. */
  latest: ChannelDelivery
}

/** Answers a handout on its own channel. False when that channel is gone: nothing was said. */
export function sendDisposition(
  { message, channel, closed: over }: ChannelDelivery,
  disposition: Disposition,
): boolean {
  if (over.aborted) return false
  try {
    if (disposition === 'ack') channel.ack(message)
    else channel.nack(message, false, disposition === 'requeue')
    return true
  } catch {
    // The driver knows of the end before its event has come: the same as gone.
    return false
  }
}
