import { HaError } from '@ha/core'
import { checked, count, flag, milliseconds, type OptionReader, oneOf, resolveOptions } from '@ha/core/driver'
import { type Codec, json } from './codec.ts'
import type { ConsumeSettings } from './consume/consumer.ts'
import type { DeliveryHandler } from './consume/delivery.ts'
import type { PublishingSettings } from './publish/publishing.ts'

/** How a publisher differs from the others. */
export interface PublisherOptions<T> {
  /** Where messages go unless `publish` says otherwise. Default: the default exchange, which routes to queues by name. */
  readonly exchange?: string
  /** The routing key unless `publish` says otherwise. Default: empty. */
  readonly key?: string
  /** How a body becomes bytes. Default: JSON. */
  readonly codec?: Codec<T>
  /** How many messages may be unconfirmed at once. Default 512. */
  readonly maxInFlight?: number
}

/** How a consumer differs from the others. */
export interface ConsumeOptions<T> {
  /** How many messages may be with handlers at once, from 1 to 65 535; a quorum queue takes 2 000. Default 32. */
  readonly prefetch?: number
  /** What becomes of a message whose handler throws. Default `requeue`, after a pause. */
  readonly onError?: 'requeue' | 'reject'
  /** How long a message whose handler threw is held back before it is requeued, in milliseconds. Default 1 000. */
  readonly requeueDelayMs?: number
  /** Whether nobody else may consume the queue. Default false. */
  readonly exclusive?: boolean
  /** How bytes become a body. Default: JSON. */
  readonly codec?: Codec<T>
  /** Arguments that RabbitMQ understands, such as `x-priority`. */
  readonly arguments?: Readonly<Record<string, unknown>>
}

/** A publisher's options, checked and completed. */
export function resolvePublisher<T>(options: PublisherOptions<T>): PublishingSettings<T> {
  const table = {
    exchange: name(),
    key: name(),
    codec: codec<T>(),
    // More does not help a broker, and the driver's own book-keeping slows down with thousands.
    maxInFlight: count({ default: 512, min: 1, max: 4_096 }),
  }
  return resolveOptions<PublishingSettings<T>>(table, options, 'publisher')
}

/** A consumer's options, checked and completed. */
export function resolveConsume<T>(
  queue: string,
  handler: DeliveryHandler<T>,
  options: ConsumeOptions<T>,
): ConsumeSettings<T> {
  if (typeof queue !== 'string' || queue === '') {
    throw new HaError('config-invalid', 'consume: expected the name of a queue')
  }
  if (typeof handler !== 'function')
    throw new HaError('config-invalid', `consume '${queue}': expected a handler`)
  const table = {
    prefetch: count({ default: 32, min: 1, max: 65_535 }),
    onError: oneOf(['requeue', 'reject'], 'requeue'),
    requeueDelayMs: milliseconds({ default: 1_000, min: 0, max: 600_000 }),
    exclusive: flag(false),
    codec: codec<T>(),
    arguments: checked(readArguments, {}),
  }
  const settings = resolveOptions<Omit<ConsumeSettings<T>, 'queue' | 'handler'>>(
    table,
    options,
    `consume '${queue}'`,
  )
  return { ...settings, queue, handler }
}

// The empty name is a name in AMQP: the default exchange, the empty routing key.
function name(): OptionReader<string> {
  return checked((value, path) => {
    if (value === undefined) return ''
    if (typeof value === 'string' && Buffer.byteLength(value) <= 255) return value
    throw new HaError('config-invalid', `${path}: expected text of at most 255 bytes`)
  }, '')
}

function codec<T>(): OptionReader<Codec<T>> {
  return checked((value, path) => {
    if (value === undefined) return json<T>()
    const given = value as Partial<Codec<T>>
    if (typeof given.encode === 'function' && typeof given.decode === 'function') return value as Codec<T>
    throw new HaError('config-invalid', `${path}: expected json(), text(), bytes() or a codec of your own`)
  }, json<T>())
}

function readArguments(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (value === undefined) return {}
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new HaError('config-invalid', `${path}: expected an object`)
}
