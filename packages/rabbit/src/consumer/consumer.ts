import type { Clock, Declaration } from '@ha/core'
import { asError, type LinkedController, linkedController, Notifier, raceAbort } from '@ha/core/driver'
import type { Codec } from '../codec.ts'
import { type GuardedChannel, openChannel } from '../driver/channel.ts'
import type { AmqpConnection } from '../driver/connection.ts'
import { replyCode } from '../driver/error-classification.ts'
import type { Channel, ConsumeMessage } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'
import {
  type ChannelDelivery,
  type Delivery,
  type DeliveryHandler,
  type Disposition,
  deliveryOf,
  dispositionOf,
  type HandlerRun,
  messageIdOf,
  sendDisposition,
} from './delivery.ts'
import type { RedeliveryCache } from './redelivery-cache.ts'

export interface ConsumeSettings<T> {
  readonly queue: string
  readonly handler: DeliveryHandler<T>
  readonly codec: Codec<T>
  readonly prefetch: number
  readonly onError: 'requeue' | 'reject'
  readonly requeueDelayMs: number
  readonly exclusive: boolean
  readonly arguments: Readonly<Record<string, unknown>>
}

/** The events of a consumer. */
export interface ConsumerCallbacks {
  /** The broker ended the subscription while the connection stays open. */
  readonly onLost: (error: Error) => void
  /** The queue does not exist. */
  readonly onQueueMissing: () => void
  /** A redelivered message was answered with the result of a handler that had finished earlier. */
  readonly onAckReplayed: (messageId: string) => void
  /** A handler finished after its channel was closed, and the message has no id: the handler will run again. */
  readonly onAckLost: () => void
  readonly onHandlerFailed: (messageId: string | undefined, error: Error) => void
}

export interface ConsumerDeps {
  readonly clock: Clock
  /** Shared by all consumers of the queue: the broker redelivers to any of them. */
  readonly redeliveries: RedeliveryCache
  readonly callbacks: ConsumerCallbacks
  /** Prefix of the consumer tag that `rabbitmqctl list_consumers` shows. */
  readonly tagPrefix: string
  /** The current name of the queue on the broker. */
  readonly queueName: () => string
  /** The arguments that a consumer of this queue needs on a broker of that version. */
  readonly argumentsFor: (version: string) => Readonly<Record<string, unknown>>
}

type ConsumerState =
  | { readonly kind: 'none' }
  | { readonly kind: 'open'; readonly subscription: Subscription }
  | { readonly kind: 'stopped'; readonly report: Promise<StopReport> }

/** How a consumer ended. */
export interface StopReport {
  /** Handlers still running at the deadline; their messages return to the queue. */
  readonly abandoned: number
}

/** A consumer of one queue: subscribes on every connection, on a channel of its own. */
export class QueueConsumer<T> {
  readonly #settings: ConsumeSettings<T>
  readonly #deps: ConsumerDeps
  readonly #finished = new Notifier()
  /** Fires at the earliest deadline of all calls of {@link stop}. */
  readonly #deadline = linkedController()
  #state: ConsumerState = { kind: 'none' }
  #subscriptions = 0
  #running = 0

  constructor(settings: ConsumeSettings<T>, deps: ConsumerDeps) {
    this.#settings = settings
    this.#deps = deps
  }

  /** Number of running handlers. */
  get running(): number {
    return this.#running
  }

  declaration(key: string, needs: readonly string[], timeoutMs: number): Declaration<AmqpConnection> {
    const apply = (connection: AmqpConnection, signal: AbortSignal): Promise<void> =>
      this.#subscribe(connection, signal)
    return { key, needs, gates: false, survives: false, timeoutMs, apply }
  }

  /**
   * Takes no more messages, and lets running handlers finish until the signal fires. With several calls, the first
   * signal to fire counts; all of them get the same report.
   */
  async stop(signal: AbortSignal): Promise<StopReport> {
    const onDeadline = (): void => this.#deadline.abort(signal.reason)
    if (signal.aborted) onDeadline()
    else signal.addEventListener('abort', onDeadline, { once: true })
    try {
      if (this.#state.kind !== 'stopped') this.#state = { kind: 'stopped', report: this.#stop() }
      return await this.#state.report
    } finally {
      signal.removeEventListener('abort', onDeadline)
    }
  }

  async #stop(): Promise<StopReport> {
    const open = this.#state.kind === 'open' ? this.#state.subscription : undefined
    const { signal } = this.#deadline
    try {
      await open?.cancel(signal)
      while (this.#running > 0) await this.#finished.wait(signal)
      // The broker processes the frames of a channel in order: after close-ok, it has the last acks.
      await open?.close(signal)
    } catch (error) {
      // The deadline has passed: closing the channel returns unanswered messages to the queue.
      open?.discard(asError(error))
    }
    return { abandoned: this.#running }
  }

  async #subscribe(connection: AmqpConnection, signal: AbortSignal): Promise<void> {
    const { prefetch, exclusive, arguments: given } = this.#settings
    const { queueName, argumentsFor, tagPrefix } = this.#deps
    this.#discardPrevious()
    this.#subscriptions += 1
    const request = {
      queue: queueName(),
      tag: `${tagPrefix}-${this.#subscriptions}`,
      prefetch,
      exclusive,
      arguments: { ...argumentsFor(connection.version), ...given },
      onMessage: (from: Subscription, message: ConsumeMessage | null) => this.#onMessage(from, message),
    }
    const subscription = await subscribe(connection, request, signal).catch((thrown: unknown) => {
      throw this.#missingQueueError(thrown)
    })
    if (this.#state.kind === 'stopped') {
      subscription.discard(rabbitError('closed', 'the consumer is stopped'))
      return
    }
    this.#state = { kind: 'open', subscription }
    subscription.closed.addEventListener('abort', () => this.#onClosed(subscription, connection), {
      once: true,
    })
  }

  // When its queue was declared again, the consumer subscribes again though its old subscription has not ended. There is
  // one subscription at a time.
  #discardPrevious(): void {
    if (this.#state.kind !== 'open') return
    const { subscription } = this.#state
    this.#state = { kind: 'none' }
    subscription.discard(rabbitError('lost', 'replaced by a new subscription', { retryable: true }))
  }

  // Never throws: the driver would close the channel, or, for a cancel notification, the whole connection.
  #onMessage(from: Subscription, message: ConsumeMessage | null): void {
    if (message === null) {
      const text = `the broker cancelled the consumer of '${this.#settings.queue}'`
      const error = rabbitError('lost', text, { retryable: true })
      this.#reportLost(from, error)
      from.discard(error)
      return
    }
    if (this.#state.kind === 'stopped') return
    const messageId = messageIdOf(message)
    const delivery = { message, channel: from.channel, closed: from.closed }
    const decision = this.#deps.redeliveries.onDelivery(messageId, delivery)
    if (decision.kind === 'run') void this.#run(decision.run, messageId)
    if (decision.kind !== 'answered') return
    sendDisposition(delivery, decision.disposition)
    this.#deps.callbacks.onAckReplayed(decision.messageId)
  }

  async #run(run: HandlerRun, messageId: string | undefined): Promise<void> {
    this.#running += 1
    let delivery = run.latest
    let disposition = await this.#call(delivery, messageId)
    // The handler failed because its channel was closed, and the message was redelivered meanwhile: run it again.
    while (disposition === 'again' && run.latest !== delivery) {
      delivery = run.latest
      disposition = await this.#call(delivery, messageId)
    }
    this.#finish(run, messageId, disposition)
    this.#running -= 1
    this.#finished.notifyAll()
  }

  async #call(received: ChannelDelivery, messageId: string | undefined): Promise<Disposition | 'again'> {
    const { queue, handler, codec, onError, requeueDelayMs } = this.#settings
    const { message, closed } = received
    try {
      const delivery: Delivery<T> = deliveryOf(message, queue, codec, closed)
      return dispositionOf(await handler(delivery), queue)
    } catch (thrown) {
      if (closed.aborted) return 'again'
      this.#deps.callbacks.onHandlerFailed(messageId, asError(thrown))
      // The broker redelivers a requeued message immediately: without the delay, a message that always fails would loop.
      if (onError === 'requeue') await this.#deps.clock.sleep(requeueDelayMs, closed).catch(() => undefined)
      return onError
    }
  }

  // The broker does not confirm acks: one written to a failing connection looks like any other. So every answer is
  // cached, not only those whose channel was closed.
  #finish(run: HandlerRun, messageId: string | undefined, disposition: Disposition | 'again'): void {
    const { redeliveries, callbacks } = this.#deps
    if (disposition === 'again') {
      redeliveries.onHandled(messageId, run, undefined)
      return
    }
    const isSent = sendDisposition(run.latest, disposition)
    const isCached = redeliveries.onHandled(messageId, run, disposition)
    if (!isSent && !isCached && disposition !== 'requeue') callbacks.onAckLost()
  }

  #onClosed(subscription: Subscription, connection: AmqpConnection): void {
    // After the loss of a connection, the link repeats all declarations.
    if (!connection.closed.aborted) this.#reportLost(subscription, asError(subscription.closed.reason))
  }

  #reportLost(subscription: Subscription, error: Error): void {
    if (this.#state.kind !== 'open' || this.#state.subscription !== subscription) return
    this.#state = { kind: 'none' }
    this.#deps.callbacks.onLost(error)
  }

  #missingQueueError(thrown: unknown): unknown {
    const { message } = asError(thrown)
    if (replyCode(thrown) !== 404 || !message.includes('no queue')) return thrown
    this.#deps.callbacks.onQueueMissing()
    return rabbitError('queue-missing', message, { cause: thrown, serverCode: 404, retryable: true })
  }
}

/** The parameters of a subscription. */
interface SubscribeRequest {
  readonly queue: string
  /** Unique: the broker closes the connection when a consumer tag is already in use. */
  readonly tag: string
  readonly prefetch: number
  readonly exclusive: boolean
  readonly arguments: Readonly<Record<string, unknown>>
  /** Called with every message, and with null when the broker cancels the subscription. Must not throw. */
  readonly onMessage: (subscription: Subscription, message: ConsumeMessage | null) => void
}

/** Subscribes to a queue on a channel of its own. */
async function subscribe(
  connection: AmqpConnection,
  request: SubscribeRequest,
  signal: AbortSignal,
): Promise<Subscription> {
  const guard = await openChannel(connection, signal)
  const subscription = new Subscription(guard, request.tag)
  const { queue, tag, prefetch, exclusive, arguments: args, onMessage } = request
  const { channel } = guard
  try {
    await raceAbort(channel.prefetch(prefetch), signal, () => undefined)
    const onNext = (message: ConsumeMessage | null): void => onMessage(subscription, message)
    const consuming = channel.consume(queue, onNext, { consumerTag: tag, exclusive, arguments: args })
    await raceAbort(consuming, signal, () => undefined)
    subscription.closed.throwIfAborted()
    return subscription
  } catch (thrown) {
    subscription.discard(asError(thrown))
    throw thrown
  }
}

/** One subscription on one channel. */
class Subscription {
  readonly #guard: GuardedChannel<Channel>
  readonly #tag: string
  readonly #scope: LinkedController

  constructor(guard: GuardedChannel<Channel>, tag: string) {
    this.#guard = guard
    this.#tag = tag
    this.#scope = linkedController(guard.closed)
  }

  get channel(): Channel {
    return this.#guard.channel
  }

  /** Fires when its messages can no longer be answered: the broker redelivers them. */
  get closed(): AbortSignal {
    return this.#scope.signal
  }

  /** Closes its channel without waiting: unanswered messages return to the queue. */
  discard(reason: Error): void {
    this.#scope.abort(reason)
    this.#guard.discard()
  }

  /** Cancels the consumer and waits for cancel-ok. */
  cancel(signal: AbortSignal): Promise<void> {
    return this.#request(() => this.channel.cancel(this.#tag), signal)
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
