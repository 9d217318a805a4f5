import type { HaError } from '@ha/core'
import { deferred } from '@ha/core/driver'
import { rabbitError } from '../errors.ts'

export interface PublishBufferOptions {
  /** How many messages may be accepted and not yet settled. Default 50 000. */
  readonly maxMessages: number
  /** How many bytes of content and properties they may hold together. Default 64 MiB. */
  readonly maxBytes: number
  /** How long a message may stay before its promise is rejected, in milliseconds. Default 5 minutes. */
  readonly maxAgeMs: number
  /** What a publish does when the outbox is full. Default `wait`. */
  readonly onFull: 'wait' | 'reject' | 'drop-oldest'
  /** With `wait`: how many publishes may wait for room. Default 1 000. */
  readonly maxWaiting: number
}

interface SpaceWaiter {
  readonly bytes: number
  readonly grant: () => void
  readonly refuse: (error: unknown) => void
}

/** The room that all publishers of a client share: bounded in messages and bytes, and so is the queue at its door. */
export class PublishBuffer {
  readonly #options: PublishBufferOptions
  readonly #waiting = new Set<SpaceWaiter>()
  #messages = 0
  #bytes = 0
  #waitingBytes = 0

  constructor(options: PublishBufferOptions) {
    this.#options = options
  }

  get messages(): number {
    return this.#messages
  }

  get bytes(): number {
    return this.#bytes
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** Takes room for one message at once, when there is some and nobody came before. */
  reserve(bytes: number): boolean {
    if (this.#waiting.size > 0 || !this.#fits(bytes)) return false
    this.#add(bytes)
    return true
  }

  /** Gives the room of one message back, and lets in whoever waits. */
  release(bytes: number): void {
    this.#messages -= 1
    this.#bytes -= bytes
    for (const waiting of this.#waiting) {
      if (!this.#fits(waiting.bytes)) return
      this.#removeWaiter(waiting)
      this.#add(waiting.bytes)
      waiting.grant()
    }
  }

  /** Throws `too-large` when a message could never have room. */
  checkSize(bytes: number): void {
    const { maxBytes } = this.#options
    if (bytes > maxBytes) {
      throw rabbitError('too-large', `a message of ${bytes} bytes cannot pass an outbox of ${maxBytes} bytes`)
    }
  }

  /** Throws `buffer-full` when too many wait for room already. */
  checkWaiting(bytes: number): void {
    const { maxWaiting, maxBytes } = this.#options
    // A quarter of the bound: the content of those who wait is held in memory, too.
    const tooMuch = this.#waiting.size > 0 && this.#waitingBytes + bytes > maxBytes / 4
    if (this.#waiting.size >= maxWaiting || tooMuch) {
      throw this.fullError(`${this.#waiting.size} publishes wait for room already`)
    }
  }

  /** Waits in turn for room; `onRoom` is called in the turn in which there is some. Rejects with the signal's reason. */
  async waitForSpace(bytes: number, onRoom: () => void, signal: AbortSignal): Promise<void> {
    const admitted = deferred()
    const admit = (): void => {
      onRoom()
      admitted.resolve()
    }
    const waiting: SpaceWaiter = { bytes, grant: admit, refuse: admitted.reject }
    const onAbort = (): void => {
      this.#removeWaiter(waiting)
      waiting.refuse(signal.reason)
    }
    signal.throwIfAborted()
    signal.addEventListener('abort', onAbort, { once: true })
    this.#waiting.add(waiting)
    this.#waitingBytes += bytes
    try {
      await admitted.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Turns everybody away who waits for room. */
  close(error: HaError): void {
    for (const waiting of [...this.#waiting]) {
      this.#removeWaiter(waiting)
      waiting.refuse(error)
    }
  }

  /** The error of a publish that finds no room. */
  fullError(why: string): HaError {
    const { maxMessages, maxBytes } = this.#options
    const held = `${this.#messages} of ${maxMessages} messages, ${this.#bytes} of ${maxBytes} bytes`
    return rabbitError('buffer-full', `the outbox holds ${held}: ${why}`, { retryable: true })
  }

  #fits(bytes: number): boolean {
    return this.#messages < this.#options.maxMessages && this.#bytes + bytes <= this.#options.maxBytes
  }

  #add(bytes: number): void {
    this.#messages += 1
    this.#bytes += bytes
  }

  #removeWaiter(waiting: SpaceWaiter): void {
    if (this.#waiting.delete(waiting)) this.#waitingBytes -= waiting.bytes
  }
}
