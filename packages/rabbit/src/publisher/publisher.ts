import { type Clock, type HaError, isHaError } from '@ha/core'
import { asError, didYouMean, withDeadline } from '@ha/core/driver'
import type { Codec } from '../codec.ts'
import type { Options } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'
import { fail, type PublishEntry, type Receipt, type UnconfirmedCounts } from './message-queue.ts'
import type { PublishBuffer, PublishBufferOptions } from './publish-buffer.ts'
import type { PublishChannel } from './publish-channel.ts'
import { abortedByCaller } from './publish-errors.ts'
import type { DeadlineTimer } from './publishers.ts'

/** Sends messages to RabbitMQ; each promise is the broker's confirm. */
export interface Publisher<T> extends AsyncDisposable {
  /**
   * Accepts a message and resolves when the broker has confirmed it. Rejects with an error that says what happened:
   * `unroutable`, `exchange-missing`, `access-refused`, `too-large`, `buffer-full`, `timed-out`, `outcome-unknown`,
   * `nacked`, `aborted`, `closed`. Messages of one publisher are sent in the order in which they were accepted.
   */
  publish(body: T, options?: PublishOptions): Promise<Receipt>
  /** Accepted and not settled. */
  readonly pending: number
  /**
   * Takes no more messages, waits up to `timeoutMs` (default 5 000) for those that it has, fails the rest with what is
   * known of each, and gives its channel back. Never rejects; idempotent. A publisher lives as long as its client
   * unless it is closed: make one for each purpose, not for each message.
   */
  close(limit?: { readonly timeoutMs?: number }): Promise<UnconfirmedCounts>
}

export interface PublisherSettings<T> {
  readonly exchange: string
  readonly key: string
  readonly codec: Codec<T>
}

/** What a publisher shares with the rest of its client. */
interface PublisherDeps {
  readonly clock: Clock
  readonly lane: PublishChannel
  readonly space: PublishBuffer
  readonly sweep: DeadlineTimer
  readonly outbox: PublishBufferOptions
  /** Makes room by failing the oldest message of all publishers that was never sent; false when there is none. */
  readonly dropOldest: () => boolean
  /** A prefix that no other process has. */
  readonly idPrefix: string
  /** Throws `closed` once the client takes no more messages. */
  readonly checkOpen: () => void
  /** Called when a message is settled and its room is given back. */
  readonly onSettled: (confirmed: boolean) => void
  /** Waits until `isIdle`, up to `timeoutMs`, and ends the lane. */
  readonly end: (isIdle: () => boolean, timeoutMs: number) => Promise<UnconfirmedCounts>
}

// What a message costs beside its content: entry, promise, properties, ids. Measured at about 900 bytes of heap.
const messageOverheadBytes = 900

export class ConfirmedPublisher<T> implements Publisher<T> {
  readonly #settings: PublisherSettings<T>
  readonly #deps: PublisherDeps
  // One for all entries: a closure for each would be most of what an entry costs.
  readonly #onSettled: PublishEntry['onSettled']
  #sequence = 0
  #pending = 0
  #waitingForSpace = 0
  #closing: Promise<UnconfirmedCounts> | undefined

  constructor(settings: PublisherSettings<T>, parts: PublisherDeps) {
    this.#settings = settings
    this.#deps = parts
    const { space, onSettled } = parts
    this.#onSettled = ({ bytes }, confirmed) => {
      this.#pending -= 1
      space.release(bytes)
      onSettled(confirmed)
    }
  }

  get pending(): number {
    return this.#pending
  }

  close({ timeoutMs = 5_000 }: { readonly timeoutMs?: number } = {}): Promise<UnconfirmedCounts> {
    this.#closing ??= this.#deps.end(() => this.#pending + this.#waitingForSpace === 0, timeoutMs)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  publish(body: T, options: PublishOptions = {}): Promise<Receipt> {
    const { space, checkOpen } = this.#deps
    let content: Buffer
    let bytes: number
    try {
      checkOpen()
      if (this.#closing !== undefined) throw rabbitError('closed', 'the publisher is closed')
      checkPublishOptions(options)
      options.signal?.throwIfAborted()
      content = this.#encode(body)
      bytes = content.length + messageOverheadBytes
      space.checkSize(bytes)
      if (space.reserve(bytes)) return this.#accept(content, bytes, options, this.#deps.clock.now())
      // Turned away before anything is set up for a wait: a producer that does not listen costs little.
      if (this.#deps.outbox.onFull === 'wait') space.checkWaiting(bytes)
    } catch (thrown) {
      return Promise.reject(publishErrorOf(thrown))
    }
    return this.#acceptWhenSpace(content, bytes, options)
  }

  async #acceptWhenSpace(content: Buffer, bytes: number, options: PublishOptions): Promise<Receipt> {
    const { space, outbox, dropOldest, clock } = this.#deps
    const calledAtMs = clock.now()
    const accept = (): Promise<Receipt> => this.#accept(content, bytes, options, calledAtMs)
    switch (outbox.onFull) {
      case 'reject':
        throw space.fullError('onFull is reject')
      case 'drop-oldest':
        while (dropOldest()) if (space.reserve(bytes)) return accept()
        throw space.fullError('nothing is left to drop')
      case 'wait':
        return this.#waitForSpace(bytes, options, accept)
    }
  }

  // Accepted in the turn in which there is room: nobody who publishes later may come first.
  async #waitForSpace(
    bytes: number,
    options: PublishOptions,
    accept: () => Promise<Receipt>,
  ): Promise<Receipt> {
    const { space, outbox, clock } = this.#deps
    let receipt: Promise<Receipt> | undefined
    const onRoom = (): void => {
      receipt = accept()
    }
    const timeoutMs = options.timeoutMs ?? outbox.maxAgeMs
    const expired = (): HaError => {
      const message = `no room in the outbox within ${timeoutMs} ms`
      return rabbitError('timed-out', message, {
        retryable: true,
        cause: space.fullError('the wait was too long'),
      })
    }
    const limit = { timeoutMs, signal: options.signal, expired }
    this.#waitingForSpace += 1
    try {
      await withDeadline(clock, limit, (inner) => space.waitForSpace(bytes, onRoom, inner))
    } catch (thrown) {
      // With room in the same turn as the end of the wait, it is accepted and has its own deadline.
      if (receipt === undefined) throw publishErrorOf(thrown)
    } finally {
      this.#waitingForSpace -= 1
    }
    return receipt ?? Promise.reject(space.fullError('the wait ended without room'))
  }

  #accept(content: Buffer, bytes: number, options: PublishOptions, calledAtMs: number): Promise<Receipt> {
    const { lane, sweep } = this.#deps
    return new Promise((resolve, reject) => {
      const entry = this.#entry(content, bytes, options, calledAtMs, { resolve, reject })
      this.#pending += 1
      sweep.schedule(entry.deadlineMs)
      lane.accept(entry)
    })
  }

  #entry(
    content: Buffer,
    bytes: number,
    options: PublishOptions,
    calledAtMs: number,
    settle: Pick<PublishEntry, 'resolve' | 'reject'>,
  ): PublishEntry {
    const { exchange, key, codec } = this.#settings
    const { outbox, idPrefix } = this.#deps
    this.#sequence += 1
    const messageId = options.messageId ?? `${idPrefix}-${this.#sequence.toString(36)}`
    const entry: PublishEntry = {
      sequence: this.#sequence,
      messageId,
      exchange: options.exchange ?? exchange,
      key: options.key ?? key,
      content,
      properties: propertiesOf(options, codec.contentType, messageId),
      acceptedAtMs: calledAtMs,
      deadlineMs: calledAtMs + (options.timeoutMs ?? outbox.maxAgeMs),
      repeatable: options.repeatable ?? true,
      attempts: 0,
      inFlight: false,
      returned: undefined,
      settled: false,
      bytes,
      resolve: settle.resolve,
      reject: settle.reject,
      unlisten:
        options.signal && onceAborted(options.signal, (cause) => fail(entry, abortedByCaller(entry, cause))),
      onSettled: this.#onSettled,
    }
    return entry
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
}

function onceAborted(signal: AbortSignal, act: (reason: unknown) => void): () => void {
  const onAbort = (): void => act(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  return () => signal.removeEventListener('abort', onAbort)
}

function publishErrorOf(thrown: unknown): HaError {
  if (isHaError(thrown)) return thrown
  return rabbitError('aborted', `ended by the caller’s signal: ${asError(thrown).message}`, { cause: thrown })
}

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

type OptionKind = 'string' | 'number' | 'boolean' | 'object'

// The whole check costs a loop over the few keys that are there: it is made for each message.
const optionKinds: Readonly<Record<keyof PublishOptions, OptionKind>> = {
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
const amqplibNames: Readonly<Record<string, string>> = {
  routingKey: 'key',
  expiration: 'expirationMs',
  deliveryMode: 'persistent',
  timeout: 'timeoutMs',
}

/** Throws `config-invalid` for an option that does not exist or cannot be meant. */
export function checkPublishOptions(options: PublishOptions): void {
  // Each message comes by here: no array is made of its options.
  for (const name in options) {
    const kind = optionKinds[name as keyof PublishOptions]
    if (kind === undefined) throw unknownOptionError(name)
    const value: unknown = options[name as keyof PublishOptions]
    if (value !== undefined && (typeof value !== kind || value === null))
      throw wrongKindError(name, kind, value)
  }
  const { timeoutMs = 1, signal } = options
  if (!(timeoutMs > 0))
    throw rabbitError('config-invalid', 'publish.timeoutMs: expected milliseconds above 0')
  if (signal !== undefined && typeof signal.addEventListener !== 'function')
    throw rabbitError('config-invalid', 'publish.signal: expected an AbortSignal')
}

// What goes to the driver under the name that it has here.
const forwardedOptions = ['headers', 'correlationId', 'replyTo', 'type', 'priority', 'timestamp'] as const

/** A message's options in the driver's words. */
function propertiesOf(options: PublishOptions, contentType: string, messageId: string): Options.Publish {
  const { persistent = true, mandatory = true, expirationMs } = options
  const properties: Options.Publish = { messageId, contentType, persistent, mandatory }
  for (const name of forwardedOptions)
    if (options[name] !== undefined) Object.assign(properties, { [name]: options[name] })
  if (expirationMs !== undefined) properties.expiration = expirationMs
  return properties
}

function unknownOptionError(name: string): HaError {
  const other = amqplibNames[name]
  const hint =
    other === undefined ? didYouMean(name, Object.keys(optionKinds)) : `; it is called '${other}' here`
  return rabbitError('config-invalid', `publish.${name}: there is no such option${hint}`)
}

function wrongKindError(name: string, kind: OptionKind, value: unknown): HaError {
  const got = value === null ? 'null' : withArticle(typeof value)
  return rabbitError('config-invalid', `publish.${name}: expected ${withArticle(kind)}, got ${got}`)
}

function withArticle(word: string): string {
  return word === 'object' ? 'an object' : `a ${word}`
}
