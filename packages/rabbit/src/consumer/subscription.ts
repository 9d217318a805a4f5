import { asError, type LinkedController, linkedController, raceAbort } from '@ha/core/driver'
import { type GuardedChannel, openChannel } from '../driver/channel.ts'
import type { AmqpConnection } from '../driver/connection.ts'
import type { Channel, ConsumeMessage } from '../driver/types.ts'

/** The parameters of a subscription. */
export interface SubscribeRequest {
  readonly queue: string
  /** Unique: the broker closes the connection when a consumer tag is already in use. */
  readonly tag: string
  readonly prefetch: number
  readonly exclusive: boolean
  /** Whether the broker counts a message as acknowledged as soon as it is sent. */
  readonly noAck: boolean
  readonly arguments: Readonly<Record<string, unknown>>
  /** Called with every message, and with null when the broker cancels the subscription. Must not throw. */
  readonly onMessage: (subscription: Subscription, message: ConsumeMessage | null) => void
  readonly onOpen: (subscription: Subscription) => void
  readonly isKept: () => boolean
}

/**
 * Subscribes to a queue on a channel of its own. `onOpen` is called before the request is sent: the first messages may
 * arrive before its answer. When this rejects, the subscription is discarded unless `isKept` says that another owner
 * ends it.
 */
export async function subscribe(
  connection: AmqpConnection,
  request: SubscribeRequest,
  signal: AbortSignal,
): Promise<Subscription> {
  const guard = await openChannel(connection, signal)
  const subscription = new Subscription(guard, request)
  request.onOpen(subscription)
  try {
    await raceAbort(guard.channel.prefetch(request.prefetch), signal, () => undefined)
    signal.throwIfAborted()
    await raceAbort(subscription.consume(), signal, () => undefined)
    subscription.closed.throwIfAborted()
    return subscription
  } catch (thrown) {
    if (!request.isKept()) subscription.discard(asError(thrown))
    throw thrown
  }
}

/**
 * Sends the same `basic.consume` to a connection that ends afterwards: to find out whether the broker ends connections
 * over it. At most one message is delivered, and returns to its queue.
 */
export async function trySubscription(
  connection: AmqpConnection,
  {
    queue,
    tag,
    exclusive,
    arguments: args,
  }: Pick<SubscribeRequest, 'queue' | 'tag' | 'exclusive' | 'arguments'>,
  signal: AbortSignal,
): Promise<void> {
  const { channel } = await openChannel(connection, signal)
  await raceAbort(channel.prefetch(1), signal, () => undefined)
  const options = { consumerTag: tag, exclusive, noAck: false, arguments: args }
  await raceAbort(
    channel.consume(queue, () => undefined, options),
    signal,
    () => undefined,
  )
}

/** One subscription on one channel. */
export class Subscription {
  readonly #guard: GuardedChannel<Channel>
  readonly #settings: SubscribeRequest
  readonly #scope: LinkedController
  #flow: Promise<unknown> = Promise.resolve()

  constructor(guard: GuardedChannel<Channel>, request: SubscribeRequest) {
    this.#guard = guard
    this.#settings = request
    this.#scope = linkedController(guard.closed)
  }

  get channel(): Channel {
    return this.#guard.channel
  }

  /** Fires when its messages can no longer be answered: the broker redelivers them. */
  get closed(): AbortSignal {
    return this.#scope.signal
  }

  /** Sends `basic.consume` and waits for the answer. */
  async consume(): Promise<void> {
    const { queue, tag, exclusive, noAck, arguments: args, onMessage } = this.#settings
    const onNext = (message: ConsumeMessage | null): void => onMessage(this, message)
    await this.channel.consume(queue, onNext, { consumerTag: tag, exclusive, noAck, arguments: args })
  }

  /** Asks the broker to send no more messages until {@link resume}: a consumer without acks has no other limit. */
  pause(): void {
    this.#enqueue(() => this.channel.cancel(this.#settings.tag))
  }

  resume(): void {
    this.#enqueue(() => this.consume())
  }

  // In order, and only while the channel is open. A failure closes the channel, which is reported as its end.
  #enqueue(send: () => Promise<unknown>): void {
    this.#flow = this.#flow.then(() => (this.closed.aborted ? undefined : send())).catch(() => undefined)
  }

  /** Closes its channel without waiting: unanswered messages return to the queue. */
  discard(reason: Error): void {
    this.#scope.abort(reason)
    this.#guard.discard()
  }

  /** Cancels the consumer and waits for cancel-ok. */
  cancel(signal: AbortSignal): Promise<void> {
    return this.#request(() => this.channel.cancel(this.#settings.tag), signal)
  }

  /** Closes its channel and waits for close-ok: by then the broker has processed all acks. */
  close(signal: AbortSignal): Promise<void> {
    return this.#request(() => this.channel.close(), signal)
  }

  // A closed channel takes no request.
  async #request(send: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    const either = linkedController(signal, this.closed)
    try {
      if (!this.closed.aborted) await raceAbort(send(), either.signal, () => undefined)
    } catch (error) {
      if (signal.aborted) throw error
    } finally {
      either.unlink()
    }
  }
}
