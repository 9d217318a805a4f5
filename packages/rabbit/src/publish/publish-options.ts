import type { HaError } from '@ha/core'
import { didYouMean } from '@ha/core/driver'
import type { Options } from '../amqp/types.ts'
import { rabbitError } from '../codes.ts'

/** What is said of one message. */
export interface PublishOptions {
  /** Default: the publisher's. */
  readonly exchange?: string
  /** Routing key. Default: the publisher's. */
  readonly key?: string
  readonly headers?: Readonly<Record<string, unknown>>
  /** Names the message for those who must recognise a duplicate. Default: made by the publisher, unique. */
  readonly messageId?: string
  readonly correlationId?: string
  readonly replyTo?: string
  /** The kind of message, for the application. */
  readonly type?: string
  readonly priority?: number
  /** How long it may wait in a queue, in milliseconds. */
  readonly expirationMs?: number
  /** Seconds since 1970, for the application. */
  readonly timestamp?: number
  /** Whether it survives a restart of the broker. Default true. */
  readonly persistent?: boolean
  /** Whether a message that no queue wants is an error. Default true. */
  readonly mandatory?: boolean
  /** How long the promise may take, in milliseconds. Default: `outbox.maxAgeMs`. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /**
   * Whether it may be sent again when the connection was lost before the confirm. Default true: the receipt then says
   * `maybeDuplicate`, and `messageId` tells the duplicate. With false it is rejected as `outcome-unknown`.
   */
  readonly repeatable?: boolean
}

type Kind = 'string' | 'number' | 'boolean' | 'object'

// The whole check costs a loop over the few keys that are there: it is made for each message.
const kinds: Readonly<Record<keyof PublishOptions, Kind>> = {
  exchange: 'string',
  key: 'string',
  headers: 'object',
  messageId: 'string',
  correlationId: 'string',
  replyTo: 'string',
  type: 'string',
  priority: 'number',
  expirationMs: 'number',
  timestamp: 'number',
  persistent: 'boolean',
  mandatory: 'boolean',
  timeoutMs: 'number',
  signal: 'object',
  repeatable: 'boolean',
}

// Words of amqplib, and of people who know amqplib.
const otherWords: Readonly<Record<string, string>> = {
  routingKey: 'key',
  expiration: 'expirationMs',
  deliveryMode: 'persistent',
  timeout: 'timeoutMs',
}

/** Throws `config-invalid` for an option that does not exist or cannot be meant. */
export function checkPublishOptions(options: PublishOptions): void {
  // Each message comes by here: no array is made of its options.
  for (const name in options) {
    const kind = kinds[name as keyof PublishOptions]
    if (kind === undefined) throw unknownOption(name)
    const value: unknown = options[name as keyof PublishOptions]
    if (value !== undefined && (typeof value !== kind || value === null)) throw wrongKind(name, kind, value)
  }
  const { timeoutMs = 1, signal } = options
  if (!(timeoutMs > 0))
    throw rabbitError('config-invalid', 'publish.timeoutMs: expected milliseconds above 0')
  if (signal !== undefined && typeof signal.addEventListener !== 'function')
    throw rabbitError('config-invalid', 'publish.signal: expected an AbortSignal')
}

// What goes to the driver under the name that it has here.
const passedOn = ['headers', 'correlationId', 'replyTo', 'type', 'priority', 'timestamp'] as const

/** A message's options in the driver's words. */
export function propertiesOf(
  options: PublishOptions,
  contentType: string,
  messageId: string,
): Options.Publish {
  const { persistent = true, mandatory = true, expirationMs } = options
  const properties: Options.Publish = { messageId, contentType, persistent, mandatory }
  for (const name of passedOn)
    if (options[name] !== undefined) Object.assign(properties, { [name]: options[name] })
  if (expirationMs !== undefined) properties.expiration = expirationMs
  return properties
}

function unknownOption(name: string): HaError {
  const other = otherWords[name]
  const hint = other === undefined ? didYouMean(name, Object.keys(kinds)) : `; it is called '${other}' here`
  return rabbitError('config-invalid', `publish.${name}: there is no such option${hint}`)
}

function wrongKind(name: string, kind: Kind, value: unknown): HaError {
  const got = value === null ? 'null' : withArticle(typeof value)
  return rabbitError('config-invalid', `publish.${name}: expected ${withArticle(kind)}, got ${got}`)
}

function withArticle(word: string): string {
  return word === 'object' ? 'an object' : `a ${word}`
}
