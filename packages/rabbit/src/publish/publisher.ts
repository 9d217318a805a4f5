import { type Clock, type HaError, isHaError } from '@ha/core'
import { asError, withDeadline } from '@ha/core/driver'
import type { Codec } from '../codec.ts'
import { rabbitError } from '../codes.ts'
import { type Entry, fail, type Receipt } from './entry.ts'
import { abandoned } from './failures.ts'
import type { Lane } from './lane.ts'
import type { Left } from './lane-entries.ts'
import type { OutboxOptions, OutboxSpace } from './outbox-space.ts'
import { checkPublishOptions, type PublishOptions, propertiesOf } from './publish-options.ts'
import type { Sweep } from './sweep.ts'

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
  close(limit?: { readonly timeoutMs?: number }): Promise<Left>
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
  /** Makes room by failing the oldest message of all publishers that was never sent; false when there is none. */
  readonly dropOldest: () => boolean
  /** A prefix that no other process has. */
  readonly idPrefix: string
  /** Throws `closed` once the client takes no more messages. */
  readonly checkOpen: () => void
  /** Called when a message is settled and its room is given back. */
  readonly onSettled: (confirmed: boolean) => void
  /** Waits until `isIdle`, up to `timeoutMs`, and ends the lane. */
  readonly end: (isIdle: () => boolean, timeoutMs: number) => Promise<Left>
}

// What a message costs beside its content: entry, promise, properties, ids. Measured at about 900 bytes of heap.
const overheadBytes = 900

export class ConfirmedPublisher<T> implements Publisher<T> {
  readonly #settings: PublisherSettings<T>
  readonly #parts: PublisherParts
  // One for all entries: a closure for each would be most of what an entry costs.
  readonly #onSettled: Entry['onSettled']
  #sequence = 0
  #pending = 0
  #waiting = 0
  #ending: Promise<Left> | undefined

  constructor(settings: PublisherSettings<T>, parts: PublisherParts) {
    this.#settings = settings
    this.#parts = parts
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

  close({ timeoutMs = 5_000 }: { readonly timeoutMs?: number } = {}): Promise<Left> {
    this.#ending ??= this.#parts.end(() => this.#pending + this.#waiting === 0, timeoutMs)
    return this.#ending
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  publish(body: T, options: PublishOptions = {}): Promise<Receipt> {
    const { space, checkOpen } = this.#parts
    let content: Buffer
    let bytes: number
    try {
      checkOpen()
      if (this.#ending !== undefined) throw rabbitError('closed', 'the publisher is closed')
      checkPublishOptions(options)
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
    const { space, outbox, dropOldest, clock } = this.#parts
    const calledAtMs = clock.now()
    const accept = (): Promise<Receipt> => this.#accept(content, bytes, options, calledAtMs)
    switch (outbox.onFull) {
      case 'reject':
        throw space.full('onFull is reject')
      case 'drop-oldest':
        while (dropOldest()) if (space.take(bytes)) return accept()
        throw space.full('nothing is left to drop')
      case 'wait':
        return this.#waitForRoom(bytes, options, accept)
    }
  }

  // Accepted in the turn in which there is room: nobody who publishes later may come first.
  async #waitForRoom(
    bytes: number,
    options: PublishOptions,
    accept: () => Promise<Receipt>,
  ): Promise<Receipt> {
    const { space, outbox, clock } = this.#parts
    let receipt: Promise<Receipt> | undefined
    const onRoom = (): void => {
      receipt = accept()
    }
    const timeoutMs = options.timeoutMs ?? outbox.maxAgeMs
    const expired = (): HaError => {
      const message = `no room in the outbox within ${timeoutMs} ms`
      return rabbitError('timed-out', message, {
        retryable: true,
        cause: space.full('the wait was too long'),
      })
    }
    const limit = { timeoutMs, signal: options.signal, expired }
    this.#waiting += 1
    try {
      await withDeadline(clock, limit, (inner) => space.wait(bytes, onRoom, inner))
    } catch (thrown) {
      // With room in the same turn as the end of the wait, it is accepted and has its own deadline.
      if (receipt === undefined) throw asRefusal(thrown)
    } finally {
      this.#waiting -= 1
    }
    return receipt ?? Promise.reject(space.full('the wait ended without room'))
  }

  #accept(content: Buffer, bytes: number, options: PublishOptions, calledAtMs: number): Promise<Receipt> {
    const { lane, sweep } = this.#parts
    return new Promise((resolve, reject) => {
      const entry = this.#entry(content, bytes, options, calledAtMs, { resolve, reject })
      this.#pending += 1
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
      resolve: settle.resolve,
      reject: settle.reject,
      unlisten:
        options.signal && onceAborted(options.signal, (cause) => fail(entry, abandoned(entry, cause))),
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

function asRefusal(thrown: unknown): HaError {
  if (isHaError(thrown)) return thrown
  return rabbitError('aborted', `ended by the caller’s signal: ${asError(thrown).message}`, { cause: thrown })
}
