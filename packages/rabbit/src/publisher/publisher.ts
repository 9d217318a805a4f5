import { AsyncResource } from 'node:async_hooks'
import { type Clock, type HaError, isHaError } from '@ha/core'
import {
  asError,
  callOptions,
  invalidOption,
  type OptionCheck,
  optionChecks,
  withDeadline,
} from '@ha/core/driver'
import type { Codec } from '../codec.ts'
import type { Options } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'
import { type EncodableTable, encodableTable } from './field-table.ts'
import { fail, type PublishEntry, type Receipt, type UnconfirmedCounts } from './message-queue.ts'
import type { PublishBuffer } from './publish-buffer.ts'
import type { PublishChannel } from './publish-channel.ts'
import { abortedByCaller, headersTooLarge } from './publish-errors.ts'

/** Sends messages to RabbitMQ; each promise is the broker's confirm. */
export interface Publisher<T> extends AsyncDisposable {
  /**
   * Accepts a message and resolves when the broker has confirmed it. Rejects with an error that says what happened:
   * `unroutable`, `exchange-missing`, `access-refused`, `too-large`, `buffer-full`, `timed-out`, `outcome-unknown`,
   * `nacked`, `aborted`, `closed`. Messages of one publisher are sent in the order in which they were accepted.
   */
  publish(body: T, options?: PublishOptions): Promise<Receipt>
  /** Number of messages that are accepted and not settled. */
  readonly pending: number
  /**
   * Takes no more messages, waits up to `timeoutMs` (default 5 000) for those that it has, fails the rest with the
   * outcome of each, and closes its channel. Never rejects; idempotent. A publisher lives as long as its client unless
   * it is closed: create one for each purpose, not for each message.
   */
  close(limit?: { readonly timeoutMs?: number }): Promise<UnconfirmedCounts>
}

/** The options of one message. */
export interface PublishOptions {
  /** Default: the publisher's. */
  readonly exchange?: string
  /** Routing key. Default: the publisher's. */
  readonly key?: string
  /**
   * A `Date` is sent as a timestamp in seconds, a `bigint` as a 64-bit integer, bytes as a byte array. They have to fit
   * into one frame of the broker (`frame_max`, 128 KiB by default) and into 64 KiB.
   */
  readonly headers?: Readonly<Record<string, unknown>>
  /** Identifies the message for those who have to recognise a duplicate. Default: a unique id from the publisher. */
  readonly messageId?: string
  readonly correlationId?: string
  readonly replyTo?: string
  /** The kind of message, for the application. */
  readonly type?: string
  /** The MIME type of the body. Default: that of the codec. */
  readonly contentType?: string
  /** How the body is encoded on top, such as `gzip`. The codec does not read it. */
  readonly contentEncoding?: string
  /** The sending application. */
  readonly appId?: string
  /** The user of the connection: the broker refuses the message of another one. */
  readonly userId?: string
  readonly priority?: number
  /** How long the message may stay in a queue, in milliseconds. */
  readonly expirationMs?: number
  /** Seconds since 1970, for the application. */
  readonly timestamp?: number
  /** Whether the message survives a restart of the broker. Default true. */
  readonly persistent?: boolean
  /**
   * Whether a message that matches no queue is an error. Default true; false for exchanges of the topology that return
   * messages which they deliver later, such as `x-delayed-message`.
   */
  readonly mandatory?: boolean
  /** How long the promise may take, in milliseconds. Default: `outbox.maxAgeMs`. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /**
   * Whether the message may be sent again when the connection was lost before the confirm. Default true: the receipt
   * then says `maybeDuplicate`, and `messageId` identifies the duplicate. With false it rejects as `outcome-unknown`.
   */
  readonly repeatable?: boolean
}

export interface PublisherSettings<T> {
  readonly exchange: string
  readonly key: string
  readonly codec: Codec<T>
  /** Maximum number of unconfirmed messages. */
  readonly maxInFlight: number
}

/** What a publisher needs of the publishers of its client. */
export interface PublisherOwner {
  /** Throws `closed` once the client takes no more messages. */
  checkOpen(): void
  scheduleDeadline(deadlineMs: number): void
  /** Called when a message is settled and its space in the buffer is released. */
  onSettled(confirmed: boolean): void
  /** Fails the oldest message of all publishers that was never sent; false when there is none. */
  dropOldest(): boolean
  /** Whether a message that this exchange returns has reached no queue. */
  returnsAreReliable(exchange: string): boolean
  /** Waits until `isIdle`, up to `timeoutMs`, and ends the channel. */
  closeChannel(channel: PublishChannel, isIdle: () => boolean, timeoutMs: number): Promise<UnconfirmedCounts>
}

interface PublisherDeps {
  readonly clock: Clock
  readonly channel: PublishChannel
  readonly buffer: PublishBuffer
  /** Prefix of message ids, unique to this publisher. */
  readonly idPrefix: string
  readonly owner: PublisherOwner
}

// Memory of a message beside its content: entry, promise, properties, ids. Measured at about 900 bytes of heap.
const messageOverheadBytes = 900

const noOptions: PublishOptions = {}
// Without it, each message would be registered for a hook that fires when it is collected.
const manual = { requireManualDestroy: true }

export class ConfirmedPublisher<T> implements Publisher<T> {
  readonly #settings: PublisherSettings<T>
  readonly #deps: PublisherDeps
  // One function for all entries: a closure for each would be most of the memory of an entry.
  readonly #onSettled: PublishEntry['onSettled']
  #sequence = 0
  #pending = 0
  #waitingForSpace = 0
  #closing: Promise<UnconfirmedCounts> | undefined

  constructor(settings: PublisherSettings<T>, deps: PublisherDeps) {
    this.#settings = settings
    this.#deps = deps
    const { buffer, owner } = deps
    this.#onSettled = ({ bytes }, confirmed) => {
      this.#pending -= 1
      buffer.release(bytes)
      owner.onSettled(confirmed)
    }
  }

  get pending(): number {
    return this.#pending
  }

  publish(body: T, options: PublishOptions = noOptions): Promise<Receipt> {
    const { buffer, owner, clock } = this.#deps
    let message: CheckedMessage
    try {
      owner.checkOpen()
      if (this.#closing !== undefined) throw rabbitError('closed', 'the publisher is closed')
      if (options !== noOptions) checkPublishOptions(options)
      options.signal?.throwIfAborted()
      const headers = options.headers && headersOf(options.headers)
      const content = this.#encode(body)
      const bytes = content.length + messageOverheadBytes + (headers?.bytes ?? 0)
      message = { content, headers, bytes, scope: new AsyncResource('HaPublish', manual) }
      buffer.checkSize(message.bytes)
      if (buffer.reserve(message.bytes)) return this.#accept(message, options, clock.now())
      // Checked before the wait is set up: rejecting a producer that ignores back-pressure is cheap.
      if (buffer.onFull === 'wait') buffer.checkWaiting(message.bytes)
    } catch (thrown) {
      return Promise.reject(publishErrorOf(thrown))
    }
    return this.#acceptWhenSpace(message, options)
  }

  close({ timeoutMs = 5_000 }: { readonly timeoutMs?: number } = {}): Promise<UnconfirmedCounts> {
    const { owner, channel } = this.#deps
    this.#closing ??= owner.closeChannel(
      channel,
      () => this.#pending + this.#waitingForSpace === 0,
      timeoutMs,
    )
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #accept(message: CheckedMessage, options: PublishOptions, calledAtMs: number): Promise<Receipt> {
    const entry = this.#entry(message, options, calledAtMs)
    // The closure captures the entry only: one is allocated for each message.
    const receipt = new Promise<Receipt>((resolve, reject) => {
      entry.resolve = resolve
      entry.reject = reject
    })
    const { signal } = options
    if (signal !== undefined)
      entry.unlisten = onceAborted(signal, (cause) => fail(entry, abortedByCaller(entry, cause)))
    this.#pending += 1
    this.#deps.owner.scheduleDeadline(entry.deadlineMs)
    this.#deps.channel.accept(entry)
    return receipt
  }

  #entry(message: CheckedMessage, options: PublishOptions, calledAtMs: number): PublishEntry {
    const { content, bytes, headers, scope } = message
    const { exchange, key, codec } = this.#settings
    const { buffer, idPrefix, owner } = this.#deps
    this.#sequence += 1
    const messageId = options.messageId ?? `${idPrefix}-${this.#sequence.toString(36)}`
    const target = options.exchange ?? exchange
    const common = {
      contentType: codec.contentType,
      messageId,
      mandatory: options.mandatory ?? owner.returnsAreReliable(target),
    }
    const properties = propertiesOf(options, common, headers?.table)
    return {
      sequence: this.#sequence,
      messageId,
      exchange: target,
      key: options.key ?? key,
      content,
      properties,
      acceptedAtMs: calledAtMs,
      deadlineMs: calledAtMs + (options.timeoutMs ?? buffer.maxAgeMs),
      repeatable: options.repeatable ?? true,
      attempts: 0,
      nacks: 0,
      inFlight: false,
      returned: undefined,
      settled: false,
      bytes,
      headerBytes: headers === undefined ? 0 : headerBytesOf(properties, headers.bytes),
      resolve: ignore,
      reject: ignore,
      unlisten: undefined,
      scope,
      onSettled: this.#onSettled,
    }
  }

  #encode(body: T): Buffer {
    let content: unknown
    try {
      content = this.#settings.codec.encode(body)
    } catch (cause) {
      throw rabbitError('config-invalid', `the body cannot be encoded: ${asError(cause).message}`, { cause })
    }
    if (Buffer.isBuffer(content)) return content
    throw rabbitError('config-invalid', `the codec returned no Buffer but ${typeof content}`)
  }

  async #acceptWhenSpace(message: CheckedMessage, options: PublishOptions): Promise<Receipt> {
    const { buffer, owner, clock } = this.#deps
    const calledAtMs = clock.now()
    const accept = (): Promise<Receipt> =>
      message.scope.runInAsyncScope(() => this.#accept(message, options, calledAtMs))
    switch (buffer.onFull) {
      case 'reject':
        throw buffer.fullError('onFull is reject')
      case 'drop-oldest':
        while (owner.dropOldest()) if (buffer.reserve(message.bytes)) return accept()
        throw buffer.fullError('there is no unsent message to drop')
      case 'wait':
        return this.#waitForSpace(message.bytes, options, accept)
    }
  }

  // Accepts the message in the same turn in which there is space, so that no later publish overtakes it.
  async #waitForSpace(
    bytes: number,
    options: PublishOptions,
    accept: () => Promise<Receipt>,
  ): Promise<Receipt> {
    const { buffer, clock } = this.#deps
    let receipt: Promise<Receipt> | undefined
    const onSpace = (): void => {
      receipt = accept()
    }
    const timeoutMs = options.timeoutMs ?? buffer.maxAgeMs
    const expired = (): HaError => {
      const cause = buffer.fullError('the wait took too long')
      const message = `no space in the publish buffer within ${timeoutMs} ms`
      return rabbitError('timed-out', message, { retryable: true, cause })
    }
    const limit = { timeoutMs, signal: options.signal, expired }
    this.#waitingForSpace += 1
    try {
      await withDeadline(clock, limit, (inner) => buffer.waitForSpace(bytes, onSpace, inner))
    } catch (thrown) {
      // When space and the deadline come in the same turn, the message is accepted and has its own deadline.
      if (receipt === undefined) throw publishErrorOf(thrown)
    } finally {
      this.#waitingForSpace -= 1
    }
    return receipt ?? Promise.reject(buffer.fullError('the wait ended without space'))
  }
}

/** What is left of the arguments of a publish once they are checked. */
interface CheckedMessage {
  readonly content: Buffer
  readonly headers: EncodableTable | undefined
  /** Its size in the publish buffer. */
  readonly bytes: number
  /** The async context of the caller. */
  readonly scope: AsyncResource
}

// The driver encodes each table in a buffer of this size.
const maxHeadersBytes = 65_536

function headersOf(headers: Readonly<Record<string, unknown>>): EncodableTable {
  const encodable = encodableTable(headers, 'publish.headers')
  if (encodable.bytes > maxHeadersBytes)
    throw headersTooLarge('the headers', encodable.bytes, maxHeadersBytes)
  return encodable
}

// Class, weight, size of the body and flags of a content header, and the delivery mode.
const contentHeaderBytes = 15

// The size of a content header. A text takes one byte more than its length, and the expiration is one.
function headerBytesOf(properties: Options.Publish, tableBytes: number): number {
  const { expiration, priority, timestamp, ...others } = properties
  let bytes = contentHeaderBytes + tableBytes
  if (priority !== undefined) bytes += 1
  if (timestamp !== undefined) bytes += 8
  for (const value of [...Object.values(others), expiration?.toString()])
    if (typeof value === 'string') bytes += 1 + Buffer.byteLength(value)
  return bytes
}

function ignore(): void {}

function onceAborted(signal: AbortSignal, act: (reason: unknown) => void): () => void {
  const onAbort = (): void => act(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  return () => signal.removeEventListener('abort', onAbort)
}

function publishErrorOf(thrown: unknown): HaError {
  if (isHaError(thrown)) return thrown
  const message = `aborted by the caller’s signal: ${asError(thrown).message}`
  return rabbitError('aborted', message, { cause: thrown })
}

// Each name of amqplib and of other clients, with the name of the option here.
export const otherPublishNames: Readonly<Record<string, string>> = {
  routingKey: 'key',
  expiration: 'expirationMs',
  deliveryMode: 'persistent',
  timeout: 'timeoutMs',
}

/** The check of each option of a publish. */
export const publishChecks: { readonly [K in keyof PublishOptions]-?: OptionCheck } = {
  exchange: shortText,
  key: shortText,
  headers: optionChecks.object,
  messageId: shortText,
  correlationId: shortText,
  replyTo: shortText,
  type: shortText,
  contentType: shortText,
  contentEncoding: shortText,
  appId: shortText,
  userId: shortText,
  priority: wholeNumber(255),
  // RabbitMQ takes unsigned 32-bit numbers here.
  expirationMs: wholeNumber(4_294_967_295),
  timestamp: wholeNumber(Number.MAX_SAFE_INTEGER),
  persistent: optionChecks.flag,
  mandatory: optionChecks.flag,
  timeoutMs: (value) =>
    typeof value === 'number' && value > 0 ? undefined : 'expected milliseconds above 0',
  signal: optionChecks.signal,
  repeatable: optionChecks.flag,
}

const checkOptions = callOptions<PublishOptions>({
  table: publishChecks,
  otherNames: otherPublishNames,
  invalid: invalidOption,
})

// The protocol gives a short string one byte for its length.
const maxShortText = 255

/** Checks a text that the protocol sends as a short string. */
export function shortText(value: unknown): string | undefined {
  return typeof value === 'string' && Buffer.byteLength(value) <= maxShortText
    ? undefined
    : `expected text of at most ${maxShortText} bytes`
}

function wholeNumber(max: number): (value: unknown) => string | undefined {
  return (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max
      ? undefined
      : `expected a whole number from 0 to ${max}`
}

/** Throws `config-invalid` for an option that does not exist or has an invalid value. */
export function checkPublishOptions(options: PublishOptions): void {
  checkOptions('publish', options)
}

// Options that the driver takes under the same name.
const forwardedOptions = [
  ...(['correlationId', 'replyTo', 'type', 'priority', 'timestamp'] as const),
  ...(['contentType', 'contentEncoding', 'appId', 'userId'] as const),
] as const

/** The properties of a message, as options of the driver. */
export function propertiesOf(
  options: PublishOptions,
  common: { readonly contentType: string; readonly messageId: string; readonly mandatory: boolean },
  headers: EncodableTable['table'] | undefined,
): Options.Publish {
  const { persistent = true, expirationMs } = options
  const { contentType, messageId, mandatory } = common
  // No spread: the driver reads an object made by one 2 us more slowly.
  const properties: Options.Publish = { messageId, contentType, persistent, mandatory }
  if (options === noOptions) return properties
  if (headers !== undefined) properties.headers = headers
  for (const name of forwardedOptions)
    if (options[name] !== undefined) Object.assign(properties, { [name]: options[name] })
  if (expirationMs !== undefined) properties.expiration = expirationMs
  return properties
}
