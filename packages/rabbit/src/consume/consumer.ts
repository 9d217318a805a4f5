import type { Clock, Declaration } from '@ha/core'
import { asError, linkedController, Notifier } from '@ha/core/driver'
import type { AmqpConnection } from '../amqp/connection.ts'
import type { ConsumeMessage } from '../amqp/types.ts'
import { replyCode } from '../amqp/verdicts.ts'
import type { Codec } from '../codec.ts'
import { rabbitError } from '../codes.ts'
import type { AckReplay } from './ack-replay.ts'
import {
  type Delivery,
  type DeliveryHandler,
  type Disposition,
  deliveryOf,
  dispositionOf,
  idOf,
} from './delivery.ts'
import { answer, type Handout, type Run } from './running.ts'
import { type Subscription, subscribe } from './subscription.ts'

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
export interface ConsumerReports {
  /** The broker took the subscription away, though the connection stands. */
  readonly lost: (error: Error) => void
  /** The queue does not exist (any more). */
  readonly queueMissing: () => void
  /** A message was answered for a handler that had finished earlier. */
  readonly ackReplayed: (messageId: string) => void
  /** A handler finished when its channel was gone, and nothing names the message: it will run again. */
  readonly ackLost: () => void
  readonly handlerFailed: (messageId: string | undefined, error: Error) => void
}

export interface ConsumerParts {
  readonly clock: Clock
  /** Shared by all consumers of the queue: the broker hands out again to any of them. */
  readonly replay: AckReplay
  readonly reports: ConsumerReports
  /** Begins the consumer tag that `rabbitmqctl list_consumers` shows. */
  readonly tagPrefix: string
  /** What the queue is called on the broker now. */
  readonly queueName: () => string
  /** What a consumer of this queue has to say on a broker of that version. */
  readonly argumentsFor: (version: string) => Readonly<Record<string, unknown>>
}

type State =
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
  readonly #parts: ConsumerParts
  readonly #finished = new Notifier()
  /** Fires when the time is up of anybody who wants it stopped. */
  readonly #patience = linkedController()
  #state: State = { kind: 'none' }
  #subscriptions = 0
  #running = 0

  constructor(settings: ConsumeSettings<T>, parts: ConsumerParts) {
    this.#settings = settings
    this.#parts = parts
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
    const hurry = (): void => this.#patience.abort(signal.reason)
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
    const { signal } = this.#patience
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
    const { queueName, argumentsFor, tagPrefix } = this.#parts
    this.#leaveOld()
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
      throw this.#asMissing(thrown)
    })
    if (this.#state.kind === 'stopped') {
      subscription.discard(rabbitError('closed', 'the consumer is stopped'))
      return
    }
    this.#state = { kind: 'open', subscription }
    subscription.over.addEventListener('abort', () => this.#onOver(subscription, connection), { once: true })
  }

  // With its queue made anew, the consumer is put back though nobody has told it of an end: one subscription at a time.
  #leaveOld(): void {
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
      this.#lose(from, error)
      from.discard(error)
      return
    }
    if (this.#state.kind === 'stopped') return
    const messageId = idOf(message)
    const handout = { message, channel: from.channel, over: from.over }
    const arrival = this.#parts.replay.arrive(messageId, handout)
    if (arrival.kind === 'run') void this.#run(arrival.run, messageId)
    if (arrival.kind !== 'answered') return
    answer(handout, arrival.disposition)
    this.#parts.reports.ackReplayed(arrival.messageId)
  }

  async #run(run: Run, messageId: string | undefined): Promise<void> {
    this.#running += 1
    let handout = run.latest
    let disposition = await this.#call(handout, messageId)
    // The handler gave up because its channel went, and the message has come again meanwhile: it runs once more.
    while (disposition === 'again' && run.latest !== handout) {
      handout = run.latest
      disposition = await this.#call(handout, messageId)
    }
    this.#end(run, messageId, disposition)
    this.#running -= 1
    this.#finished.notifyAll()
  }

  async #call(handout: Handout, messageId: string | undefined): Promise<Disposition | 'again'> {
    const { queue, handler, codec, onError, requeueDelayMs } = this.#settings
    const { message, over } = handout
    try {
      const delivery: Delivery<T> = deliveryOf(message, queue, codec, over)
      return dispositionOf(await handler(delivery), queue)
    } catch (thrown) {
      if (over.aborted) return 'again'
      this.#parts.reports.handlerFailed(messageId, asError(thrown))
      // At once it would come straight back: a message that always fails must not spin.
      if (onError === 'requeue') await this.#parts.clock.sleep(requeueDelayMs, over).catch(() => undefined)
      return onError
    }
  }

  // Nobody confirms an ack: one that was written to a dying connection looks like any other. So every answer is
  // remembered, not only those that had no channel left.
  #end(run: Run, messageId: string | undefined, disposition: Disposition | 'again'): void {
    const { replay, reports } = this.#parts
    if (disposition === 'again') {
      replay.ended(messageId, run, undefined)
      return
    }
    const isSaid = answer(run.latest, disposition)
    const isRemembered = replay.ended(messageId, run, disposition)
    if (!isSaid && !isRemembered && disposition !== 'requeue') reports.ackLost()
  }

  #onOver(subscription: Subscription, connection: AmqpConnection): void {
    // With its connection gone, the link puts everything back by itself.
    if (!connection.over.aborted) this.#lose(subscription, asError(subscription.over.reason))
  }

  #lose(subscription: Subscription, error: Error): void {
    if (this.#state.kind !== 'open' || this.#state.subscription !== subscription) return
    this.#state = { kind: 'none' }
    this.#parts.reports.lost(error)
  }

  #asMissing(thrown: unknown): unknown {
    const { message } = asError(thrown)
    if (replyCode(thrown) !== 404 || !message.includes('no queue')) return thrown
    this.#parts.reports.queueMissing()
    return rabbitError('queue-missing', message, { cause: thrown, serverCode: 404, retryable: true })
  }
}
