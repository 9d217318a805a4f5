import { abandonable, asError, type Clock, type Declaration, Pulse, scopeBelow, withDeadline } from '@ha/core'
import { type GuardedChannel, openChannel } from '../amqp/channel.ts'
import type { AmqpConnection } from '../amqp/connection.ts'
import type { Channel, ConsumeMessage } from '../amqp/types.ts'
import { replyCode } from '../amqp/verdicts.ts'
import type { Codec } from '../codec.ts'
import { rabbitError } from '../codes.ts'
import type { AckReplay } from './ack-replay.ts'
import { type Delivery, type DeliveryHandler, type Disposition, deliveryOf, idOf } from './delivery.ts'
import { answer, type Handout, RunningHandlers } from './running.ts'

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
  readonly replay: AckReplay
  readonly reports: ConsumerReports
  /** Begins the consumer tag that `rabbitmqctl list_consumers` shows. */
  readonly tagPrefix: string
  /** What the queue is called on the broker now. */
  readonly queueName: () => string
  /** What a consumer of this queue has to say on a broker of that version. */
  readonly argumentsFor: (version: string) => Readonly<Record<string, unknown>>
}

interface Open {
  readonly kind: 'open'
  readonly guard: GuardedChannel<Channel>
  readonly tag: string
}

type Subscription = { readonly kind: 'none' } | Open | { readonly kind: 'stopped' }

/** How a consumer ended. */
export interface StopReport {
  /** Handlers that were still at work when the time was up; their messages go back to the queue. */
  readonly abandoned: number
}

/** One subscription, kept on every connection: each has a channel of its own. */
export class QueueConsumer<T> {
  readonly #settings: ConsumeSettings<T>
  readonly #parts: ConsumerParts
  readonly #running = new RunningHandlers()
  readonly #finished = new Pulse()
  #subscription: Subscription = { kind: 'none' }
  #subscriptions = 0

  constructor(settings: ConsumeSettings<T>, parts: ConsumerParts) {
    this.#settings = settings
    this.#parts = parts
  }

  /** How many handlers are at work. */
  get running(): number {
    return this.#running.count
  }

  declaration(key: string, needs: readonly string[], timeoutMs: number): Declaration<AmqpConnection> {
    const apply = (connection: AmqpConnection, signal: AbortSignal): Promise<void> =>
      this.#subscribe(connection, signal)
    return { key, needs, gates: false, survives: false, timeoutMs, apply }
  }

  /** Takes no more messages, and lets the handlers at work finish until `timeoutMs`. */
  async stop(timeoutMs: number): Promise<StopReport> {
    const { clock } = this.#parts
    const before = this.#subscription
    this.#subscription = { kind: 'stopped' }
    const expired = (): Error => rabbitError('timed-out', `${this.#settings.queue}: handlers still at work`)
    try {
      await withDeadline(clock, { timeoutMs, expired }, async (signal) => {
        if (before.kind === 'open') await told(before, signal, ({ channel }) => channel.cancel(before.tag))
        while (this.running > 0) await this.#finished.wait(signal)
        // The broker closes a channel after everything that was said on it: the last acks have arrived.
        if (before.kind === 'open') await told(before, signal, ({ channel }) => channel.close())
      })
    } catch {
      // Out of time: what is unanswered goes back to the queue with its channel.
      if (before.kind === 'open') before.guard.discard()
    }
    return { abandoned: this.running }
  }

  async #subscribe(connection: AmqpConnection, signal: AbortSignal): Promise<void> {
    const guard = await openChannel(connection, signal)
    try {
      const tag = await this.#consume(connection, guard, signal)
      guard.over.throwIfAborted()
      if (this.#subscription.kind === 'stopped') guard.discard()
      else this.#subscription = { kind: 'open', guard, tag }
    } catch (thrown) {
      guard.discard()
      throw this.#asMissing(thrown)
    }
    guard.over.addEventListener('abort', () => this.#onOver(guard, connection), { once: true })
  }

  async #consume(
    connection: AmqpConnection,
    guard: GuardedChannel<Channel>,
    signal: AbortSignal,
  ): Promise<string> {
    const { prefetch, exclusive, arguments: given } = this.#settings
    const { queueName, argumentsFor, tagPrefix } = this.#parts
    const { channel } = guard
    await abandonable(channel.prefetch(prefetch), signal, () => undefined)
    this.#subscriptions += 1
    const consumerTag = `${tagPrefix}-${this.#subscriptions}`
    const args = { ...argumentsFor(connection.version), ...given }
    const onMessage = (message: ConsumeMessage | null): void => this.#onMessage(guard, message)
    const consuming = channel.consume(queueName(), onMessage, { consumerTag, exclusive, arguments: args })
    await abandonable(consuming, signal, () => undefined)
    return consumerTag
  }

  // Never throws: the driver would close the channel, and on the notice of a cancel the whole connection.
  #onMessage(guard: GuardedChannel<Channel>, message: ConsumeMessage | null): void {
    if (message === null) {
      this.#onCancelled(guard)
      return
    }
    if (this.#subscription.kind === 'stopped') return
    const handout = { guard, message }
    const messageId = idOf(message)
    if (messageId !== undefined && message.fields.redelivered && this.#wasHandled(messageId, handout)) return
    void this.#running
      .run(messageId, handout, (latest) => this.#handle(latest, messageId))
      .finally(() => this.#finished.fire())
  }

  #wasHandled(messageId: string, handout: Handout): boolean {
    if (this.#running.join(messageId, handout)) return true
    const disposition = this.#parts.replay.find(messageId)
    if (disposition === undefined) return false
    answer(handout, disposition)
    this.#parts.reports.ackReplayed(messageId)
    return true
  }

  async #handle(latest: () => Handout, messageId: string | undefined): Promise<void> {
    let handout = latest()
    let disposition = await this.#call(handout, messageId)
    // The handler gave up because its channel went, and the message has come again meanwhile: it runs once more.
    while (disposition === 'again' && latest() !== handout) {
      handout = latest()
      disposition = await this.#call(handout, messageId)
    }
    if (disposition !== 'again') this.#answer(latest(), messageId, disposition)
  }

  async #call(handout: Handout, messageId: string | undefined): Promise<Disposition | 'again'> {
    const { queue, handler, codec, onError, requeueDelayMs } = this.#settings
    const { over } = handout.guard
    try {
      const delivery: Delivery<T> = deliveryOf(handout.message, queue, codec, over)
      return (await handler(delivery)) ?? 'ack'
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
  #answer(handout: Handout, messageId: string | undefined, disposition: Disposition): void {
    const said = answer(handout, disposition)
    // What was to be requeued is requeued by the loss of its channel as well.
    if (disposition === 'requeue') return
    if (messageId !== undefined) this.#parts.replay.remember(messageId, disposition)
    else if (!said) this.#parts.reports.ackLost()
  }

  #onCancelled(guard: GuardedChannel<Channel>): void {
    const { queue } = this.#settings
    this.#lose(
      guard,
      rabbitError('lost', `the broker cancelled the consumer of '${queue}'`, { retryable: true }),
    )
    guard.discard()
  }

  #onOver(guard: GuardedChannel<Channel>, connection: AmqpConnection): void {
    // With its connection gone, the link puts everything back by itself.
    if (!connection.over.aborted) this.#lose(guard, asError(guard.over.reason))
  }

  #lose(guard: GuardedChannel<Channel>, error: Error): void {
    if (this.#subscription.kind !== 'open' || this.#subscription.guard !== guard) return
    this.#subscription = { kind: 'none' }
    this.#parts.reports.lost(error)
  }

  #asMissing(thrown: unknown): unknown {
    const { message } = asError(thrown)
    if (replyCode(thrown) !== 404 || !message.includes('no queue')) return thrown
    this.#parts.reports.queueMissing()
    return rabbitError('queue-missing', message, { cause: thrown, serverCode: 404, retryable: true })
  }
}

// Tells the broker something and waits for its answer; a channel that is gone is told nothing.
async function told(
  { guard }: Open,
  signal: AbortSignal,
  tell: (guard: GuardedChannel<Channel>) => Promise<unknown>,
): Promise<void> {
  const either = scopeBelow(signal, guard.over)
  try {
    if (!guard.over.aborted) await abandonable(tell(guard), either.signal, () => undefined)
  } catch (error) {
    if (signal.aborted) throw error
  } finally {
    either.end()
  }
}
