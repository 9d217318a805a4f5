import type { Clock, Declaration } from '@ha/core'
import { asError, linkedController, raceAbort, withDeadline } from '@ha/core/driver'
import { openChannel } from '../driver/channel.ts'
import type { AmqpConnection } from '../driver/connection.ts'
import { replyCode } from '../driver/error-classification.ts'
import type { ConsumeMessage } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'
import { DelayedRetry, isAtLeast } from './delayed-retry.ts'
import { type ConsumeSettings, type HandlerCallbacks, HandlerRunner } from './handler-runner.ts'
import type { RedeliveryCache } from './redelivery-cache.ts'
import { StreamPosition } from './stream-position.ts'
import { type SubscribeRequest, type Subscription, subscribe, trySubscription } from './subscription.ts'

/** The events of a consumer. */
export interface ConsumerCallbacks extends HandlerCallbacks {
  /** The broker ended the subscription while the connection stays open. */
  readonly onLost: (error: Error) => void
  /** The queue does not exist. */
  readonly onQueueMissing: () => void
}

export interface ConsumerDeps {
  readonly clock: Clock
  readonly random: () => number
  /** Shared by all consumers of the queue: the broker redelivers to any of them. */
  readonly redeliveries: RedeliveryCache
  readonly callbacks: ConsumerCallbacks
  readonly consumed: ConsumedQueue
  /** How long one request may take, in milliseconds. */
  readonly timeoutMs: number
}

/** What is known of the queue of a consumer. */
export interface ConsumedQueue {
  /** Prefix of the consumer tag that `rabbitmqctl list_consumers` shows. */
  readonly tagPrefix: string
  /** The current name of the queue on the broker. */
  readonly currentName: () => string
  /** The arguments that a consumer of this queue needs on a broker of that version. */
  readonly argumentsFor: (version: string) => Readonly<Record<string, unknown>>
  /** Whether the queue is declared with a delay of its own for what is returned to it. */
  readonly delaysReturns: boolean
  /** Waits for the connection that publishes. */
  readonly connectToPublish: (signal: AbortSignal) => Promise<AmqpConnection>
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
  readonly #runner: HandlerRunner<T>
  readonly #position = new StreamPosition()
  readonly #retry: DelayedRetry | undefined
  /** Fires at the earliest deadline of all calls of {@link stop}. */
  readonly #deadline = linkedController()
  #state: ConsumerState = { kind: 'none' }
  #subscriptions = 0
  #lastDeliveryAtMs = Number.NEGATIVE_INFINITY
  #allAnswered = false

  constructor(settings: ConsumeSettings<T>, deps: ConsumerDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#retry = retryOf(settings, deps)
    this.#runner = new HandlerRunner(settings, { ...deps, position: this.#position, retry: this.#retry })
  }

  /** Number of running handlers. */
  get running(): number {
    return this.#runner.running
  }

  /** Whether it is stopped and the broker has processed every answer: no message of it will be redelivered. */
  get allAnswered(): boolean {
    return this.#allAnswered
  }

  declaration(key: string, needs: readonly string[], timeoutMs: number): Declaration<AmqpConnection> {
    const apply = (connection: AmqpConnection, signal: AbortSignal): Promise<void> =>
      this.#subscribe(connection, signal)
    const tryApart = (connection: AmqpConnection, signal: AbortSignal): Promise<void> =>
      trySubscription(connection, this.#request(connection), signal)
    return { key, needs, gates: false, survives: false, timeoutMs, apply, tryApart }
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
    this.#runner.stop()
    try {
      await open?.cancel(signal)
      await this.#runner.idle(signal)
      // The broker processes the frames of a channel in order: after close-ok, it has the last acks.
      const mayBeRedelivered = open?.closed.aborted ?? true
      await open?.close(signal)
      this.#allAnswered = !mayBeRedelivered
    } catch (error) {
      // The deadline has passed: closing the channel returns unanswered messages to the queue.
      open?.discard(asError(error))
    }
    this.#retry?.close()
    return { abandoned: this.#runner.unfinished }
  }

  #request(connection: AmqpConnection): SubscribeRequest {
    const { prefetch, exclusive, noAck, arguments: given } = this.#settings
    const { clock, consumed } = this.#deps
    const { argumentsFor, tagPrefix } = consumed
    // The time of day: the clock counts from the start of the process.
    const nowMs = performance.timeOrigin + clock.now()
    return {
      queue: consumed.currentName(),
      tag: `${tagPrefix}-${this.#subscriptions}`,
      prefetch,
      exclusive,
      noAck,
      arguments: this.#position.argumentsFor({ ...argumentsFor(connection.version), ...given }, nowMs),
      onMessage: (from: Subscription, message: ConsumeMessage | null) => this.#onMessage(from, message),
      onOpen: (subscription: Subscription) => this.#onOpen(subscription),
      // The end of a stopped consumer waits for its handlers, also when it stops before its subscription is confirmed.
      isKept: () => this.#state.kind === 'stopped',
    }
  }

  async #subscribe(connection: AmqpConnection, signal: AbortSignal): Promise<void> {
    this.#discardPrevious()
    this.#subscriptions += 1
    const request = this.#request(connection)
    await this.#retry?.prepare(request.queue, connection, signal)
    const subscription = await subscribe(connection, request, signal).catch((thrown: unknown) => {
      throw this.#missingQueueError(thrown)
    })
    this.#position.onSubscribed()
    const onClosed = (): void => this.#onClosed(subscription, connection)
    subscription.closed.addEventListener('abort', onClosed, { once: true })
    this.#watchQueue(request.queue, subscription, connection).catch(() => undefined)
  }

  // The first messages may arrive before the subscription is confirmed, and their answers need its channel.
  #onOpen(subscription: Subscription): void {
    if (this.#state.kind === 'stopped') subscription.discard(rabbitError('closed', 'the consumer is stopped'))
    else this.#state = { kind: 'open', subscription }
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
      const error = this.#cancelledError()
      this.#reportLost(from, error)
      from.discard(error)
      return
    }
    this.#lastDeliveryAtMs = this.#deps.clock.now()
    if (this.#state.kind !== 'stopped') this.#runner.onDelivery(message, from)
  }

  // The broker sends no reason.
  #cancelledError(): Error {
    const { queue } = this.#settings
    const heldMs = Math.round(this.#runner.longestRunMs)
    const timeout =
      heldMs > 0
        ? `, or a message was held longer than its consumer_timeout (one for ${heldMs} ms so far)`
        : ''
    const text = `the broker cancelled the consumer of '${queue}': the queue was deleted or moved${timeout}`
    return rabbitError('lost', text, { retryable: true })
  }

  // The broker does not cancel every consumer of a queue that is deleted: an idle one asks now and then. Ends by rejection
  // with its subscription.
  async #watchQueue(queue: string, subscription: Subscription, connection: AmqpConnection): Promise<void> {
    const { clock, random, timeoutMs } = this.#deps
    for (;;) {
      const sinceMs = clock.now()
      await clock.sleep(
        idleCheckMs * (1 - idleCheckJitter / 2 + idleCheckJitter * random()),
        subscription.closed,
      )
      if (this.#lastDeliveryAtMs >= sinceMs || this.#runner.unfinished > 0) continue
      const expired = (): Error =>
        rabbitError('timed-out', `no answer about '${queue}' within ${timeoutMs} ms`)
      const limit = { timeoutMs, signal: subscription.closed, expired }
      const thrown = await withDeadline(clock, limit, (signal) => findQueue(queue, connection, signal)).then(
        () => undefined,
        (error: unknown) => error,
      )
      if (replyCode(thrown) !== 404 || !asError(thrown).message.includes('no queue')) continue
      const text = `queue '${queue}' no longer exists, and the broker did not cancel its consumer`
      const error = rabbitError('queue-missing', text, { cause: thrown, serverCode: 404, retryable: true })
      this.#reportLost(subscription, error)
      subscription.discard(error)
    }
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
    this.#position.reset()
    this.#deps.callbacks.onQueueMissing()
    return rabbitError('queue-missing', message, { cause: thrown, serverCode: 404, retryable: true })
  }
}

function retryOf<T>({ retry }: ConsumeSettings<T>, deps: ConsumerDeps): DelayedRetry | undefined {
  const { clock, timeoutMs, consumed } = deps
  // RabbitMQ 4.3 was the first version that delays what is returned to a quorum queue.
  const isNative = (version: string): boolean => consumed.delaysReturns && isAtLeast(version, 4, 3)
  return retry === undefined
    ? undefined
    : new DelayedRetry({ clock, policy: retry, connect: consumed.connectToPublish, isNative, timeoutMs })
}

// A queue that is deleted is missed by its publishers first: once a minute is enough, at a random time for each consumer.
const idleCheckMs = 60_000
const idleCheckJitter = 0.5

// On a channel of its own, because the broker closes the channel when there is no such queue.
async function findQueue(queue: string, connection: AmqpConnection, signal: AbortSignal): Promise<void> {
  const guard = await openChannel(connection, signal)
  try {
    await raceAbort(guard.channel.checkQueue(queue), signal, () => undefined)
  } finally {
    guard.discard()
  }
}
