import { asError, type Clock, type HaError, isHaError, withDeadline } from '@ha/core'
import type { Options } from '../amqp/types.ts'
import type { Codec } from '../codec.ts'
import { rabbitError } from '../codes.ts'
import { type Entry, fail, type Receipt } from './entry.ts'
import { abandoned } from './failures.ts'
import type { Lane } from './lane.ts'
import type { OutboxOptions, OutboxSpace } from './outbox-space.ts'
import type { Sweep } from './sweep.ts'

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

/** Sends messages to RabbitMQ; each promise is the broker's confirm. */
export interface Publisher<T> {
  /**
   * Accepts a message and resolves when the broker has confirmed it. Rejects with an error that says what happened:
   * `unroutable`, `exchange-missing`, `access-refused`, `too-large`, `outbox-full`, `timed-out`, `outcome-unknown`,
   * `nacked`, `aborted`, `closed`. Messages of one publisher are sent in the order in which they were accepted.
   */
  publish(body: T, options?: PublishOptions): Promise<Receipt>
  /** Accepted and not settled. */
  readonly pending: number
}

export interface PublisherSettings<T> {
  readonly exchange: string
  readonly key: string
  readonly codec: Codec<T>
}

/** What a publisher shares with the rest of its client. */
export interface PublisherParts {
  readonly clock: Clock
  readonly lane: Lane
  readonly space: OutboxSpace
  readonly sweep: Sweep
  readonly outbox: OutboxOptions
  /** A prefix that no other process has. */
  readonly idPrefix: string
  /** Throws `closed` once the client takes no more messages. */
  readonly checkOpen: () => void
  /** Called when a message is settled and its room is given back. */
  readonly onSettled: (confirmed: boolean) => void
}

// What a message costs beside its content: entry, promise, properties, ids. Measured at about 900 bytes of heap.
const overheadBytes = 900

export class ConfirmedPublisher<T> implements Publisher<T> {
  readonly #settings: PublisherSettings<T>
  readonly #parts: PublisherParts
  // One for all entries: a closure for each would be most of what an entry costs.
  readonly #onSettled: Entry['onSettled']
  #sequence = 0

  constructor(settings: PublisherSettings<T>, parts: PublisherParts) {
    this.#settings = settings
    this.#parts = parts
    const { space, onSettled } = parts
    this.#onSettled = ({ bytes }, confirmed) => {
      space.release(bytes)
      onSettled(confirmed)
    }
  }

  get pending(): number {
    return this.#parts.lane.pending
  }

  publish(body: T, options: PublishOptions = {}): Promise<Receipt> {
    const { space, checkOpen } = this.#parts
    let content: Buffer
    let bytes: number
    try {
      checkOpen()
      options.signal?.throwIfAborted()
      content = this.#encode(body)
      bytes = content.length + overheadBytes
      space.check(bytes)
      if (space.take(bytes)) return this.#accept(content, bytes, options, this.#parts.clock.now())
      // Turned away before anything is set up for a wait: a producer that does not listen costs little.
      if (this.#parts.outbox.onFull === 'wait') space.checkDoor(bytes)
    } catch (thrown) {
      return Promise.reject(asRefusal(thrown))
    }
    return this.#whenRoom(content, bytes, options)
  }

  async #whenRoom(content: Buffer, bytes: number, options: PublishOptions): Promise<Receipt> {
    const { space, outbox, lane, clock } = this.#parts
    const calledAtMs = clock.now()
    switch (outbox.onFull) {
      case 'reject':
        throw space.full('onFull is reject')
      case 'drop-oldest':
        while (lane.dropOldest())
          if (space.take(bytes)) return this.#accept(content, bytes, options, calledAtMs)
        throw space.full('nothing is left to drop')
      case 'wait':
        await this.#waitForRoom(bytes, options)
        return this.#accept(content, bytes, options, calledAtMs)
    }
  }

  async #waitForRoom(bytes: number, options: PublishOptions): Promise<void> {
    const { space, outbox, clock } = this.#parts
    const timeoutMs = options.timeoutMs ?? outbox.maxAgeMs
    const expired = (): HaError => {
      const message = `no room in the outbox within ${timeoutMs} ms`
      return rabbitError('timed-out', message, {
        retryable: true,
        cause: space.full('the wait was too long'),
      })
    }
    const limit = { timeoutMs, signal: options.signal, expired }
    await withDeadline(
      clock,
      limit,
      (inner) => space.wait(bytes, inner),
      () => space.release(bytes),
    ).catch((thrown: unknown) => {
      throw asRefusal(thrown)
    })
  }

  #accept(content: Buffer, bytes: number, options: PublishOptions, calledAtMs: number): Promise<Receipt> {
    const { lane, sweep } = this.#parts
    return new Promise((resolve, reject) => {
      const entry = this.#entry(content, bytes, options, calledAtMs, { resolve, reject })
      sweep.note(entry.deadlineMs)
      lane.accept(entry)
    })
  }

  #entry(
    content: Buffer,
    bytes: number,
    options: PublishOptions,
    calledAtMs: number,
    settle: Pick<Entry, 'resolve' | 'reject'>,
  ): Entry {
    const { exchange, key, codec } = this.#settings
    const { outbox, idPrefix } = this.#parts
    this.#sequence += 1
    const messageId = options.messageId ?? `${idPrefix}-${this.#sequence.toString(36)}`
    const entry: Entry = {
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
      ...settle,
      unlisten:
        options.signal && onceAborted(options.signal, (cause) => fail(entry, abandoned(entry, cause))),
      onSettled: this.#onSettled,
    }
    return entry
  }

  #encode(body: T): Buffer {
    try {
      return this.#settings.codec.encode(body)
    } catch (cause) {
      throw rabbitError('config-invalid', `the body cannot be encoded: ${asError(cause).message}`, { cause })
    }
  }
}

// What goes to the driver under the name that it has here.
const passedOn = ['headers', 'correlationId', 'replyTo', 'type', 'priority', 'timestamp'] as const

function propertiesOf(options: PublishOptions, contentType: string, messageId: string): Options.Publish {
  const { persistent = true, mandatory = true, expirationMs } = options
  const properties: Options.Publish = { messageId, contentType, persistent, mandatory }
  for (const name of passedOn)
    if (options[name] !== undefined) Object.assign(properties, { [name]: options[name] })
  if (expirationMs !== undefined) properties.expiration = expirationMs
  return properties
}

function onceAborted(signal: AbortSignal, act: (reason: unknown) => void): () => void {
  const onAbort = (): void => act(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  return () => signal.removeEventListener('abort', onAbort)
}

function asRefusal(thrown: unknown): HaError {
  if (isHaError(thrown)) return thrown
  return rabbitError('aborted', `ended by the caller’s signal: ${asError(thrown).message}`, { cause: thrown })
}
