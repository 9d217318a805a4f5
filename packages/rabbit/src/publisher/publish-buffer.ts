import type { HaError } from '@ha/core'
import { deferred } from '@ha/core/driver'
import { rabbitError } from '../errors.ts'

export interface PublishBufferOptions {
  /** Maximum number of messages that are accepted and not settled. Default 50 000. */
  readonly maxMessages: number
  /** Maximum size of these messages together, content and properties, in bytes. Default 64 MiB. */
  readonly maxBytes: number
  /** How long a message may stay before its promise rejects, in milliseconds. Default 5 minutes. */
  readonly maxAgeMs: number
  /** What `publish` does when the buffer is full. Default `wait`. */
  readonly onFull: 'wait' | 'reject' | 'drop-oldest'
  /** With `wait`: maximum number of publishes that wait for space. Default 1 000. */
  readonly maxWaiting: number
}

interface SpaceWaiter {
  readonly bytes: number
  readonly grant: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Accounts for the accepted messages of all publishers of a client. The buffer is bounded in messages and bytes, and so
 * are the publishes that wait for space.
 */
export class PublishBuffer {
  readonly #options: PublishBufferOptions
  readonly #waiters = new Set<SpaceWaiter>()
  #messages = 0
  #bytes = 0
  #waitingBytes = 0

  constructor(options: PublishBufferOptions) {
    this.#options = options
  }

  get onFull(): PublishBufferOptions['onFull'] {
    return this.#options.onFull
  }

  get maxAgeMs(): number {
    return this.#options.maxAgeMs
  }

  get messages(): number {
    return this.#messages
  }

  get bytes(): number {
    return this.#bytes
  }

  get waiting(): number {
    return this.#waiters.size
  }

  /** Reserves space for one message; false when there is none, or when earlier publishes wait for it. */
  reserve(bytes: number): boolean {
    if (this.#waiters.size > 0 || !this.#fits(bytes)) return false
    this.#add(bytes)
    return true
  }

  /** Releases the space of one message, and grants it to the waiting publishes in their order. */
  release(bytes: number): void {
    this.#messages -= 1
    this.#bytes -= bytes
    if (this.#waiters.size === 0) return
    for (const waiter of this.#waiters) {
      if (!this.#fits(waiter.bytes)) return
      this.#removeWaiter(waiter)
      this.#add(waiter.bytes)
      waiter.grant()
    }
  }

  /** Throws `too-large` for a message that is larger than the whole buffer. */
  checkSize(bytes: number): void {
    const { maxBytes } = this.#options
    if (bytes > maxBytes) {
      throw rabbitError(
        'too-large',
        `a message of ${bytes} bytes does not fit into a publish buffer of ${maxBytes} bytes`,
      )
    }
  }

  /** Throws `buffer-full` when too many publishes wait for space. */
  checkWaiting(bytes: number): void {
    const { maxWaiting, maxBytes } = this.#options
    // A quarter of the bound, because the content of waiting publishes is in memory as well.
    const tooMuch = this.#waiters.size > 0 && this.#waitingBytes + bytes > maxBytes / 4
    if (this.#waiters.size >= maxWaiting || tooMuch) {
      throw this.fullError(`${this.#waiters.size} publishes wait for space already`)
    }
  }

  /** Waits for space, first in, first out; `onSpace` is called in the same turn. Rejects with the signal's reason. */
  async waitForSpace(bytes: number, onSpace: () => void, signal: AbortSignal): Promise<void> {
    const granted = deferred()
    const grant = (): void => {
      onSpace()
      granted.resolve()
    }
    const waiter: SpaceWaiter = { bytes, grant, reject: granted.reject }
    const onAbort = (): void => {
      this.#removeWaiter(waiter)
      waiter.reject(signal.reason)
    }
    signal.throwIfAborted()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#waiters.add(waiter)
    this.#waitingBytes += bytes
    try {
      await granted.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Rejects all publishes that wait for space. */
  close(error: HaError): void {
    for (const waiter of [...this.#waiters]) {
      this.#removeWaiter(waiter)
      waiter.reject(error)
    }
  }

  /** The error of a publish that finds no space. */
  fullError(reason: string): HaError {
    const { maxMessages, maxBytes } = this.#options
    const held = `${this.#messages} of ${maxMessages} messages, ${this.#bytes} of ${maxBytes} bytes`
    return rabbitError('buffer-full', `the publish buffer holds ${held}: ${reason}`, { retryable: true })
  }

  #fits(bytes: number): boolean {
    return this.#messages < this.#options.maxMessages && this.#bytes + bytes <= this.#options.maxBytes
  }

  #add(bytes: number): void {
    this.#messages += 1
    this.#bytes += bytes
  }

  #removeWaiter(waiter: SpaceWaiter): void {
    if (this.#waiters.delete(waiter)) this.#waitingBytes -= waiter.bytes
  }
}
