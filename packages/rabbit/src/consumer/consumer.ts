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
  idOf,
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

/** What a consumer tells its client. */
export interface ConsumerCallbacks {
  /** The broker took the subscription away, though the connection stands. */
  readonly onLost: (error: Error) => void
  /** The queue does not exist (any more). */
  readonly onQueueMissing: () => void
  /** A message was answered for a handler that had finished earlier. */
  readonly onAckReplayed: (messageId: string) => void
  /** A handler finished when its channel was gone, and nothing names the message: it will run again. */
  readonly onAckLost: () => void
  readonly onHandlerFailed: (messageId: string | undefined, error: Error) => void
}

interface ConsumerDeps {
  readonly clock: Clock
  /** Shared by all consumers of the queue: the broker hands out again to any of them. */
  readonly redeliveries: RedeliveryCache
  readonly callbacks: ConsumerCallbacks
  /** Begins the consumer tag that `rabbitmqctl list_consumers` shows. */
  readonly tagPrefix: string
  /** What the queue is called on the broker now. */
  readonly queueName: () => string
  /** What a consumer of this queue has to say on a broker of that version. */
  readonly argumentsFor: (version: string) => Readonly<Record<string, unknown>>
}

type ConsumerState =
  | { readonly kind: 'none' }
  | { readonly kind: 'open'; readonly subscription: Subscription }
  | { readonly kind: 'stopped'; readonly report: Promise<StopReport> }

/** How a consumer ended. */
export interface StopReport {
  /** Handlers that were still at work when the time was up; their messages go back to the queue. */
  readonly abandoned: number
}

/** One subscription, kept on every connection: each has a channel of its own. */
export class QueueConsumer<T> {
  readonly #settings: ConsumeSettings<T>
  readonly #deps: ConsumerDeps
  readonly #finished = new Notifier()
  /** Fires when the time is up of anybody who wants it stopped. */
  readonly #deadline = linkedController()
  #state: ConsumerState = { kind: 'none' }
  #subscriptions = 0
  #running = 0

  constructor(settings: ConsumeSettings<T>, parts: ConsumerDeps) {
    this.#settings = settings
    this.#deps = parts
  }

  /** How many handlers are at work. */
  get running(): number {
    return this.#running
  }

  declaration(key: string, needs: readonly string[], timeoutMs: number): Declaration<AmqpConnection> {
    const apply = (connection: AmqpConnection, signal: AbortSignal): Promise<void> =>
      this.#subscribe(connection, signal)
    return { key, needs, gates: false, survives: false, timeoutMs, apply }
  }

  /**
   * Takes no more messages, and lets the handlers at work finish until the signal fires. Of all who ask, the first
   * signal counts; the report is the same for all.
   */
  async stop(signal: AbortSignal): Promise<StopReport> {
    const hurry = (): void => this.#deadline.abort(signal.reason)
    if (signal.aborted) hurry()
    else signal.addEventListener('abort', hurry, { once: true })
    try {
      if (this.#state.kind !== 'stopped') this.#state = { kind: 'stopped', report: this.#stop() }
      return await this.#state.report
    } finally {
      signal.removeEventListener('abort', hurry)
    }
  }

  async #stop(): Promise<StopReport> {
    const open = this.#state.kind === 'open' ? this.#state.subscription : undefined
    const { signal } = this.#deadline
    try {
      await open?.cancel(signal)
      while (this.#running > 0) await this.#finished.wait(signal)
      // The broker closes a channel after everything that was said on it: the last acks have arrived.
      await open?.close(signal)
    } catch (error) {
      // Out of time: what is unanswered goes back to the queue with its channel.
      open?.discard(asError(error))
    }
    return { abandoned: this.#running }
  }

  async #subscribe(connection: AmqpConnection, signal: AbortSignal): Promise<void> {
    const { prefetch, exclusive, arguments: given } = this.#settings
    const { queueName, argumentsFor, tagPrefix } = this.#deps
    this.#discardPrevious()
    this.#subscriptions += 1
    const asked = {
      queue: queueName(),
      tag: `${tagPrefix}-${this.#subscriptions}`,
      prefetch,
      exclusive,
      arguments: { ...argumentsFor(connection.version), ...given },
      onMessage: (from: Subscription, message: ConsumeMessage | null) => this.#onMessage(from, message),
    }
    const subscription = await subscribe(connection, asked, signal).catch((thrown: unknown) => {
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

  // With its queue made anew, the consumer is put back though nobody has told it of an end: one subscription at a time.
  #discardPrevious(): void {
    if (this.#state.kind !== 'open') return
    const { subscription } = this.#state
    this.#state = { kind: 'none' }
    subscription.discard(rabbitError('lost', 'subscribed anew', { retryable: true }))
  }

  // Never throws: the driver would close the channel, and on the notice of a cancel the whole connection.
  #onMessage(from: Subscription, message: ConsumeMessage | null): void {
    if (message === null) {
      const text = `the broker cancelled the consumer of '${this.#settings.queue}'`
      const error = rabbitError('lost', text, { retryable: true })
      this.#reportLost(from, error)
      from.discard(error)
      return
    }
    if (this.#state.kind === 'stopped') return
    const messageId = idOf(message)
    const handout = { message, channel: from.channel, closed: from.closed }
    const arrival = this.#deps.redeliveries.onDelivery(messageId, handout)
    if (arrival.kind === 'run') void this.#run(arrival.run, messageId)
    if (arrival.kind !== 'answered') return
    sendDisposition(handout, arrival.disposition)
    this.#deps.callbacks.onAckReplayed(arrival.messageId)
  }

  async #run(run: HandlerRun, messageId: string | undefined): Promise<void> {
    this.#running += 1
    let handout = run.latest
    let disposition = await this.#call(handout, messageId)
    // The handler gave up because its channel went, and the message has come again meanwhile: it runs once more.
    while (disposition === 'again' && run.latest !== handout) {
      handout = run.latest
      disposition = await this.#call(handout, messageId)
    }
    this.#finish(run, messageId, disposition)
    this.#running -= 1
    this.#finished.notifyAll()
  }

  async #call(handout: ChannelDelivery, messageId: string | undefined): Promise<Disposition | 'again'> {
    const { queue, handler, codec, onError, requeueDelayMs } = this.#settings
    const { message, closed: over } = handout
    try {
      const delivery: Delivery<T> = deliveryOf(message, queue, codec, over)
      return dispositionOf(await handler(delivery), queue)
    } catch (thrown) {
      if (over.aborted) return 'again'
      this.#deps.callbacks.onHandlerFailed(messageId, asError(thrown))
      // At once it would come straight back: a message that always fails must not spin.
      if (onError === 'requeue') await this.#deps.clock.sleep(requeueDelayMs, over).catch(() => undefined)
      return onError
    }
  }

  // Nobody confirms an ack: one that was written to a dying connection looks like any other. So every answer is
  // remembered, not only those that had no channel left.
  #finish(run: HandlerRun, messageId: string | undefined, disposition: Disposition | 'again'): void {
    const { redeliveries: replay, callbacks: reports } = this.#deps
    if (disposition === 'again') {
      replay.onHandled(messageId, run, undefined)
      return
    }
    const isSaid = sendDisposition(run.latest, disposition)
    const isRemembered = replay.onHandled(messageId, run, disposition)
    if (!isSaid && !isRemembered && disposition !== 'requeue') reports.onAckLost()
  }

  #onClosed(subscription: Subscription, connection: AmqpConnection): void {
    // With its connection gone, the link puts everything back by itself.
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

/** What a subscription asks of the broker. */
interface SubscribeRequest {
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
async function subscribe(
  connection: AmqpConnection,
  asked: SubscribeRequest,
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

  /** Fires when nothing that came on it can be answered any more: the broker hands it out again. */
  get closed(): AbortSignal {
    return this.#scope.signal
  }

  /** Ends it without waiting: what is unanswered goes back to the queue. */
  discard(reason: Error): void {
    this.#scope.abort(reason)
    this.#guard.discard()
  }

  /** Asks for no more messages, and waits for the broker's word on it. */
  cancel(signal: AbortSignal): Promise<void> {
    return this.#request(() => this.channel.cancel(this.#tag), signal)
  }

  /** Ends its channel, and waits for the broker's word on it: everything that was said before has arrived. */
  close(signal: AbortSignal): Promise<void> {
    return this.#request(() => this.channel.close(), signal)
  }

  // A channel that is gone is told nothing.
  async #request(tell: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    const either = linkedController(signal, this.closed)
    try {
      if (!this.closed.aborted) await raceAbort(tell(), either.signal, () => undefined)
    } catch (error) {
      if (signal.aborted) throw error
    } finally {
      either.unlink()
    }
  }
}
