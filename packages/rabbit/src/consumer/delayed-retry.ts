import type { Clock } from '@ha/core'
import { asError, raceAbort, withDeadline } from '@ha/core/driver'
import { type GuardedChannel, openChannel, openConfirmChannel } from '../driver/channel.ts'
import type { AmqpConnection } from '../driver/connection.ts'
import type { Channel, ConfirmChannel, ConsumeMessage, Options } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'
import { attemptsBefore, messageIdOf, retryHeaders } from './delivery.ts'

/** How often a failing handler is called for one message, and after which delays. */
export interface RetryPolicy {
  /** Number of calls in all, the first one included. */
  readonly attempts: number
  /** The delay after each failure, in milliseconds; the last one is used for all that follow. */
  readonly delaysMs: readonly number[]
}

/** What happens to a message whose handler has failed. */
export type DelayedRetryDecision =
  | { readonly kind: 'retry'; readonly attempt: number; readonly delayMs: number }
  | { readonly kind: 'exhausted'; readonly attempt: number }

interface DelayedRetryDeps {
  readonly clock: Clock
  readonly policy: RetryPolicy
  /**
   * Waits for the connection that publishes: during a memory alarm the broker blocks every connection that publishes,
   * and a consumer must go on.
   */
  readonly connect: (signal: AbortSignal) => Promise<AmqpConnection>
  /** Whether the queue itself delays what is returned to it, on a broker of that version. */
  readonly isNative: (version: string) => boolean
  /** How long the broker may take to confirm a message, in milliseconds. */
  readonly timeoutMs: number
}

/** The name of the queue in which the messages of `queue` wait that long. */
export function retryQueueName(queue: string, delayMs: number): string {
  return `${queue}.retry.${delayMs}`
}

/**
 * Keeps the messages of failed handlers in queues on the broker until their delay is over. Each delay has a queue of its
 * own, whose messages expire into the queue that is consumed. A message is confirmed there before its delivery is
 * acknowledged: when the client ends between the two, the message is in both queues, and is handled once more.
 */
export class DelayedRetry {
  readonly #deps: DelayedRetryDeps
  #queue = ''
  #isNative = false
  #isClosed = false
  #opened: Promise<GuardedChannel<ConfirmChannel>> | undefined
  // One message at a time: a returned message does not say to which confirm it belongs.
  #last: Promise<unknown> = Promise.resolve()

  constructor(deps: DelayedRetryDeps) {
    this.#deps = deps
  }

  /** Declares the queues on a new connection of the consumer. */
  async prepare(queue: string, connection: AmqpConnection, signal: AbortSignal): Promise<void> {
    this.#queue = queue
    this.#isNative = this.#deps.isNative(connection.version)
    if (this.#isNative) return
    const guard = await openChannel(connection, signal)
    try {
      await this.#declareQueues(guard.channel, connection.version, signal)
    } finally {
      guard.discard()
    }
  }

  /** Whether a failed message is returned to its queue, which delays it by itself. */
  get isNative(): boolean {
    return this.#isNative
  }

  decide(message: ConsumeMessage): DelayedRetryDecision {
    const { attempts, delaysMs } = this.#deps.policy
    const counted = this.isNative ? Number(message.properties.headers?.['x-delivery-count'] ?? 0) : 0
    const attempt = Math.max(attemptsBefore(message), counted) + 1
    const delayMs = delaysMs[attempt - 1] ?? delaysMs.at(-1) ?? 0
    return attempt >= attempts ? { kind: 'exhausted', attempt } : { kind: 'retry', attempt, delayMs }
  }

  /** Resolves when the broker has confirmed the message in the queue of that delay. */
  async publish(
    message: ConsumeMessage,
    { attempt, delayMs }: { readonly attempt: number; readonly delayMs: number },
  ): Promise<void> {
    const { clock, timeoutMs } = this.#deps
    const name = retryQueueName(this.#queue, delayMs)
    const expired = (): Error =>
      rabbitError('timed-out', `'${name}' confirmed nothing within ${timeoutMs} ms`)
    await withDeadline(clock, { timeoutMs, signal: undefined, expired }, (signal) => {
      const published = this.#last.then(() => this.#publish(name, message, attempt, signal))
      this.#last = published.catch(() => undefined)
      return published
    })
  }

  /** Publishes nothing more, and closes its channel. */
  close(): void {
    this.#isClosed = true
    this.#discard()
  }

  #discard(): void {
    this.#opened?.then(
      ({ discard }) => discard(),
      () => undefined,
    )
    this.#opened = undefined
  }

  async #publish(name: string, message: ConsumeMessage, attempt: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#isClosed) throw rabbitError('closed', 'the consumer is stopped')
    try {
      const guard = await this.#channel(signal)
      await raceAbort(publishConfirmed(guard, name, message, attempt), signal, () => undefined)
    } catch (error) {
      // The next message opens another channel, on which the queues are declared again.
      this.#discard()
      throw error
    }
  }

  async #channel(signal: AbortSignal): Promise<GuardedChannel<ConfirmChannel>> {
    const opened = await this.#opened
    if (opened?.closed.aborted === false) return opened
    this.#opened = this.#open(signal)
    return this.#opened
  }

  async #open(signal: AbortSignal): Promise<GuardedChannel<ConfirmChannel>> {
    const connection = await this.#deps.connect(signal)
    const guard = await openConfirmChannel(connection, signal)
    try {
      await this.#declareQueues(guard.channel, connection.version, signal)
      return guard
    } catch (thrown) {
      guard.discard()
      throw thrown
    }
  }

  async #declareQueues(channel: Channel, version: string, signal: AbortSignal): Promise<void> {
    for (const delayMs of new Set(this.#deps.policy.delaysMs)) {
      const options = retryQueueOptions(this.#queue, delayMs, version)
      const declared = channel.assertQueue(retryQueueName(this.#queue, delayMs), options)
      await raceAbort(declared, signal, () => undefined)
    }
  }
}

function publishConfirmed(
  { channel, closed }: GuardedChannel<ConfirmChannel>,
  queue: string,
  message: ConsumeMessage,
  attempt: number,
): Promise<void> {
  let isReturned = false
  const onReturn = (): void => {
    isReturned = true
  }
  channel.once('return', onReturn)
  const confirmed = new Promise<void>((resolve, reject) => {
    channel.publish('', queue, message.content, retryOptions(message, attempt), (error: unknown) => {
      if (error !== null && error !== undefined) reject(asError(error))
      else if (isReturned) reject(rabbitError('queue-missing', `queue '${queue}' no longer exists`))
      else resolve()
    })
  })
  return raceAbort(confirmed, closed, () => undefined).finally(() => channel.off('return', onReturn))
}

// The expiry of its own would end the delay early, the broker refuses the user of another connection, and copies would
// reach other queues.
function retryOptions(message: ConsumeMessage, attempt: number): Options.Publish {
  const {
    userId: _user,
    expiration: _expiration,
    clusterId: _,
    deliveryMode,
    headers,
    ...others
  } = message.properties
  return {
    ...others,
    headers: { ...keptHeaders(headers ?? {}), ...retryHeaders(message, attempt) },
    persistent: deliveryMode === 2,
    mandatory: true,
  }
}

// The broker takes a message that has died in the same queue before for a cycle, and drops it.
const droppedHeaders = /^(CC|BCC|x-death|x-(first|last)-death-.*|x-delivery-count|x-acquired-count)$/

function keptHeaders(headers: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !droppedHeaders.test(name)))
}

function retryQueueOptions(queue: string, delayMs: number, version: string): Options.AssertQueue {
  const expiry = {
    'x-message-ttl': delayMs,
    'x-dead-letter-exchange': '',
    'x-dead-letter-routing-key': queue,
  }
  if (!isAtLeast(version, 3, 10)) return { durable: true, arguments: expiry }
  // At least once: the message stays here until the other queue has confirmed it.
  const replicated = {
    'x-queue-type': 'quorum',
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  }
  return { durable: true, arguments: { ...expiry, ...replicated } }
}

/** Whether a version such as `4.3.6` is that one or a later one. */
export function isAtLeast(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

/** Identifies one attempt of a message: each attempt is a message of its own for the broker. */
export function attemptIdOf(message: ConsumeMessage): string | undefined {
  const messageId = messageIdOf(message)
  const before = attemptsBefore(message)
  return messageId === undefined || before === 0 ? messageId : `${messageId} attempt ${before + 1}`
}
