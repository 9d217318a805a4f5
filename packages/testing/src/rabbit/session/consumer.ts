import type { Entry } from '../broker/entry.ts'
import type { Queue, QueueConsumer } from '../broker/queue.ts'
import type { Channel } from './channel.ts'

/** How a consumer was declared. */
export interface ConsumerDeclaration {
  readonly tag: string
  readonly noAck: boolean
  readonly exclusive: boolean
  /** How many messages it may hold; 0 is any number. */
  readonly prefetch: number
}

/** Somebody on a channel who wants the messages of a queue. */
export class Consumer implements QueueConsumer {
  readonly declared: ConsumerDeclaration
  readonly queue: Queue
  readonly #channel: Channel
  #held = 0

  constructor(declared: ConsumerDeclaration, queue: Queue, channel: Channel) {
    this.declared = declared
    this.queue = queue
    this.#channel = channel
  }

  get exclusive(): boolean {
    return this.declared.exclusive
  }

  hasRoom(): boolean {
    const { noAck, prefetch } = this.declared
    return noAck || ((prefetch === 0 || this.#held < prefetch) && this.#channel.hasRoom)
  }

  deliver(queue: Queue, entry: Entry): void {
    this.#channel.deliver(this, queue, entry)
  }

  cancelled(): void {
    this.#channel.cancelled(this)
  }

  /** It holds one message more. */
  hold(): void {
    this.#held += 1
  }

  /** It holds one message less. */
  letGo(): void {
    this.#held -= 1
  }
}
