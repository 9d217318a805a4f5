import { asError, type LinkedController, linkedController, raceAbort } from '@ha/core/driver'
import { type GuardedChannel, openChannel } from '../amqp/channel.ts'
import type { AmqpConnection } from '../amqp/connection.ts'
import type { Channel, ConsumeMessage } from '../amqp/types.ts'

/** What a subscription asks of the broker. */
export interface Asked {
  readonly queue: string
  /** Never used before: a tag that the broker knows already ends the whole connection. */
  readonly tag: string
  readonly prefetch: number
  readonly exclusive: boolean
  readonly arguments: Readonly<Record<string, unknown>>
  /** Hears every message, and null when the broker takes the subscription away. Never throws. */
  readonly onMessage: (subscription: Subscription, message: ConsumeMessage | null) => void
}

/** Subscribes to a queue on a channel of its own. */
export async function subscribe(
  connection: AmqpConnection,
  asked: Asked,
  signal: AbortSignal,
): Promise<Subscription> {
  const guard = await openChannel(connection, signal)
  const subscription = new Subscription(guard, asked.tag)
  const { queue, tag, prefetch, exclusive, arguments: args, onMessage } = asked
  const { channel } = guard
  try {
    await raceAbort(channel.prefetch(prefetch), signal, () => undefined)
    const onNext = (message: ConsumeMessage | null): void => onMessage(subscription, message)
    const consuming = channel.consume(queue, onNext, { consumerTag: tag, exclusive, arguments: args })
    await raceAbort(consuming, signal, () => undefined)
    subscription.over.throwIfAborted()
    return subscription
  } catch (thrown) {
    subscription.discard(asError(thrown))
    throw thrown
  }
}

/** One subscription on one channel. */
export class Subscription {
  readonly #guard: GuardedChannel<Channel>
  readonly #tag: string
  readonly #scope: LinkedController

  constructor(guard: GuardedChannel<Channel>, tag: string) {
    this.#guard = guard
    this.#tag = tag
    this.#scope = linkedController(guard.over)
  }

  get channel(): Channel {
    return this.#guard.channel
  }

  /** Fires when nothing that came on it can be answered any more: the broker hands it out again. */
  get over(): AbortSignal {
    return this.#scope.signal
  }

  /** Ends it without waiting: what is unanswered goes back to the queue. */
  discard(reason: Error): void {
    this.#scope.abort(reason)
    this.#guard.discard()
  }

  /** Asks for no more messages, and waits for the broker's word on it. */
  cancel(signal: AbortSignal): Promise<void> {
    return this.#tell(() => this.channel.cancel(this.#tag), signal)
  }

  /** Ends its channel, and waits for the broker's word on it: everything that was said before has arrived. */
  close(signal: AbortSignal): Promise<void> {
    return this.#tell(() => this.channel.close(), signal)
  }

  // A channel that is gone is told nothing.
  async #tell(tell: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    const either = linkedController(signal, this.over)
    try {
      if (!this.over.aborted) await raceAbort(tell(), either.signal, () => undefined)
    } catch (error) {
      if (signal.aborted) throw error
    } finally {
      either.unlink()
    }
  }
}
