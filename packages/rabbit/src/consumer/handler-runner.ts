import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import type { Clock } from '@ha/core'
import { asError, linkedController, Notifier } from '@ha/core/driver'
import type { Codec } from '../codec.ts'
import type { ConsumeMessage } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'
import { attemptIdOf, type DelayedRetry, type RetryPolicy } from './delayed-retry.ts'
import {
  type Answer,
  type ChannelDelivery,
  type DecodeErrorHandler,
  type DeliveryHandler,
  type Disposition,
  deliveryOf,
  dispositionOf,
  type HandlerRun,
  messageIdOf,
  sendAnswer,
} from './delivery.ts'
import { FailureCounts, maxFirstRequeueDelayMs, Pace, requeueDelayMs } from './failure-delays.ts'
import type { RedeliveryCache } from './redelivery-cache.ts'
import { type StreamPosition, streamOffsetOf } from './stream-position.ts'
import type { Subscription } from './subscription.ts'

export interface ConsumeSettings<T> {
  readonly queue: string
  readonly handler: DeliveryHandler<T>
  readonly codec: Codec<T>
  readonly prefetch: number
  readonly onError: 'requeue' | 'reject'
  readonly onDecodeError: 'requeue' | 'reject' | DecodeErrorHandler
  readonly requeueDelayMs: number
  readonly retry: RetryPolicy | undefined
  readonly exclusive: boolean
  readonly noAck: boolean
  readonly arguments: Readonly<Record<string, unknown>>
}

/** A message whose decoding or handler failed, and what happens to it. */
export interface HandlerFailure {
  readonly messageId: string | undefined
  /** `decode-failed` when the codec threw; otherwise what the handler threw. */
  readonly error: Error
  readonly stage: 'decode' | 'handler'
  /** How often it has failed, as far as this process or the queue has counted; from 1. */
  readonly attempt: number
  /**
   * `requeue`: it is delivered again; `retry`: it waits in a retry queue; `reject`: it is
   * dead-lettered, or dropped where the queue has no target; `none`: the consumer has no acks, and it is lost; `reply`: it
   * is a request whose caller gets the error, and is acknowledged.
   */
  readonly answer: 'requeue' | 'retry' | 'reject' | 'none' | 'reply'
  /**
   * How long it waits before it is delivered again, in milliseconds. Doubles with each attempt, up to one minute, unless
   * the consumer has a `retry`.
   */
  readonly delayMs: number
}

/** The events of handlers. */
export interface HandlerCallbacks {
  /** A redelivered message was answered with the result of a handler that had finished earlier. */
  readonly onAckReplayed: (messageId: string | undefined) => void
  /** A handler finished after its channel was closed, and the message has no id: the handler will run again. */
  readonly onAckLost: () => void
  readonly onHandlerFailed: (failure: HandlerFailure) => void
}

interface HandlerRunnerDeps {
  readonly clock: Clock
  readonly redeliveries: RedeliveryCache
  readonly position: StreamPosition
  readonly retry: DelayedRetry | undefined
  readonly callbacks: HandlerCallbacks
}

/** What became of one call of a handler. `again`: its channel was closed, and the broker redelivers its message. */
type CallResult =
  | { readonly kind: 'answered'; readonly disposition: Disposition }
  | { readonly kind: 'failed'; readonly stage: 'decode' | 'handler'; readonly error: Error }
  | { readonly kind: 'again' }

/** Runs the handlers of one consumer, and answers their messages. */
export class HandlerRunner<T> {
  readonly #settings: ConsumeSettings<T>
  readonly #deps: HandlerRunnerDeps
  readonly #failures: FailureCounts
  readonly #finished = new Notifier()
  /** Fires when the consumer stops: messages that are held back are requeued at once. */
  readonly #stopping = linkedController()
  /** When each running handler was called. */
  readonly #startedAtMs = new Map<HandlerRun, number>()
  // A handler runs in the context of the caller of consume(), and never in that of an earlier delivery.
  readonly #inCallersContext = AsyncLocalStorage.snapshot()
  readonly #backlog = new Backlog()
  readonly #rejects: Pace
  #unfinished = 0

  constructor(settings: ConsumeSettings<T>, deps: HandlerRunnerDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#failures = new FailureCounts(deps.clock)
    this.#rejects = new Pace(deps.clock)
  }

  /** Number of running handlers. */
  get running(): number {
    return this.#startedAtMs.size
  }

  /** Number of messages without an answer: with a running handler, or held back. */
  get unfinished(): number {
    return this.#unfinished + this.#backlog.length
  }

  /** How long the handler that was called first has been running, in milliseconds; 0 when none is. */
  get longestRunMs(): number {
    const [first] = this.#startedAtMs.values()
    return first === undefined ? 0 : this.#deps.clock.now() - first
  }

  /** Runs the handler of a message, unless the message was handled before. Never throws. */
  onDelivery(message: ConsumeMessage, from: Subscription): void {
    if (this.#settings.noAck) {
      this.#backlog.add(message, from)
      this.#runBacklog()
      return
    }
    const { channel, closed } = from
    const delivery = { message, channel, closed }
    const offset = streamOffsetOf(message)
    if (offset !== undefined) {
      this.#onStreamDelivery(offset, delivery)
      return
    }
    const messageId = attemptIdOf(message)
    const decision = this.#deps.redeliveries.onDelivery(messageId, delivery)
    if (decision.kind === 'run') void this.#run(decision.run, messageId)
    if (decision.kind !== 'answered') return
    sendAnswer(delivery, decision.disposition)
    this.#deps.callbacks.onAckReplayed(decision.messageId)
  }

  /** Requeues messages that are held back. */
  stop(): void {
    this.#stopping.abort(rabbitError('closed', 'the consumer is stopped'))
  }

  /** Waits until every message is answered. */
  async idle(signal: AbortSignal): Promise<void> {
    while (this.unfinished > 0) await this.#finished.wait(signal)
  }

  #onStreamDelivery(offset: number, delivery: ChannelDelivery): void {
    const decision = this.#deps.position.onDelivery(offset, delivery)
    if (decision.kind === 'run') void this.#runFromStream(offset, decision.run)
    if (decision.kind === 'handled') sendAnswer(delivery, 'ack')
  }

  // A stream redelivers nothing on an open connection: a handler that fails is called again here.
  async #runFromStream(offset: number, run: HandlerRun): Promise<void> {
    this.#unfinished += 1
    let received: ChannelDelivery
    let answer: Answer | 'again'
    do {
      received = run.latest
      answer = await this.#handle(run, received)
    } while (!isFinal(answer) && !this.#stopping.signal.aborted && !run.latest.closed.aborted)
    const isHandled = isFinal(answer)
    if (isHandled) sendAnswer(run.latest, 'ack')
    this.#deps.position.onFinished(offset, run, isHandled)
    this.#unfinished -= 1
    this.#finished.notifyAll()
  }

  // Without acks, `prefetch` limits the number of running handlers here: the broker has no limit.
  #runBacklog(): void {
    while (this.#unfinished < this.#settings.prefetch) {
      const next = this.#backlog.take()
      if (next === undefined) return
      const { channel } = next.from
      void this.#runWithoutAck({ message: next.message, channel, closed: neverClosed })
    }
  }

  async #runWithoutAck(received: ChannelDelivery): Promise<void> {
    const run: HandlerRun = { latest: received }
    this.#unfinished += 1
    this.#startedAtMs.set(run, this.#deps.clock.now())
    const result = await this.#decodeAndCall(received)
    this.#startedAtMs.delete(run)
    if (result.kind === 'failed') {
      const { stage, error } = result
      const messageId = messageIdOf(received.message)
      this.#deps.callbacks.onHandlerFailed({
        messageId,
        error,
        stage,
        attempt: 1,
        answer: 'none',
        delayMs: 0,
      })
    }
    this.#unfinished -= 1
    this.#finished.notifyAll()
    this.#runBacklog()
  }

  async #run(run: HandlerRun, messageId: string | undefined): Promise<void> {
    this.#unfinished += 1
    let received = run.latest
    let answer = await this.#handle(run, received)
    // The handler failed because its channel was closed, and the message was redelivered meanwhile: run it again.
    while (answer === 'again' && run.latest !== received) {
      received = run.latest
      answer = await this.#handle(run, received)
    }
    this.#finish(run, messageId, answer)
    this.#unfinished -= 1
    this.#finished.notifyAll()
  }

  async #handle(run: HandlerRun, received: ChannelDelivery): Promise<Answer | 'again'> {
    this.#startedAtMs.set(run, this.#deps.clock.now())
    const result = await this.#decodeAndCall(received)
    this.#startedAtMs.delete(run)
    if (result.kind === 'again') return 'again'
    if (result.kind === 'failed') return this.#onFailed(received, result)
    if (result.disposition !== 'requeue') {
      this.#failures.forget(received.message)
      return result.disposition
    }
    const attempt = this.#failures.count(received.message)
    const firstMs = Math.min(this.#settings.requeueDelayMs, maxFirstRequeueDelayMs)
    await this.#holdBack(requeueDelayMs(firstMs, attempt), received.closed)
    return 'requeue'
  }

  async #decodeAndCall(received: ChannelDelivery): Promise<CallResult> {
    const { queue, handler, codec, onDecodeError } = this.#settings
    const { message, closed } = received
    try {
      const delivery = deliveryOf(message, queue, codec, closed)
      if (delivery.body instanceof Promise) throw asynchronousCodec(delivery.body)
      return await this.#call(received, () => handler(delivery))
    } catch (cause) {
      const text = `the message of '${queue}' cannot be decoded: ${asError(cause).message}`
      const error = rabbitError('decode-failed', text, { cause })
      if (typeof onDecodeError !== 'function') return { kind: 'failed', stage: 'decode', error }
      const delivery = deliveryOf(message, queue, noBody, closed)
      return this.#call(received, () => onDecodeError(delivery, error))
    }
  }

  async #call({ closed }: ChannelDelivery, handler: () => unknown): Promise<CallResult> {
    try {
      const { queue, noAck } = this.#settings
      const disposition = dispositionOf(await this.#inCallersContext(inContextOfItsOwn, handler), queue)
      if (!noAck || disposition === 'ack') return { kind: 'answered', disposition }
      const text = `the handler of '${queue}' returned '${disposition}', and its consumer has no acks (noAck)`
      throw rabbitError('config-invalid', text)
    } catch (thrown) {
      return closed.aborted ? { kind: 'again' } : { kind: 'failed', stage: 'handler', error: asError(thrown) }
    }
  }

  async #onFailed(
    received: ChannelDelivery,
    { stage, error }: { readonly stage: 'decode' | 'handler'; readonly error: Error },
  ): Promise<Answer> {
    const { message, closed } = received
    const { onError, onDecodeError } = this.#settings
    const { onHandlerFailed } = this.#deps.callbacks
    const { retry } = this.#deps
    if (stage === 'handler' && retry !== undefined) return this.#retry(retry, received, error)
    const policy = stage === 'decode' ? onDecodeError : onError
    const attempt = this.#failures.count(message)
    const failure = { messageId: messageIdOf(message), error, stage, attempt }
    if (policy !== 'requeue') {
      this.#failures.forget(message)
      const delayMs = stage === 'decode' ? this.#rejects.delayMs() : 0
      if (delayMs > 0 && (await this.#holdBack(delayMs, closed)) === 'stopped') return 'requeue'
      onHandlerFailed({ ...failure, answer: 'reject', delayMs: 0 })
      return 'reject'
    }
    // The broker redelivers a requeued message immediately: without the delay, a message that always fails would loop.
    const delayMs = requeueDelayMs(this.#settings.requeueDelayMs, attempt)
    onHandlerFailed({ ...failure, answer: 'requeue', delayMs })
    // A shutdown is no failure of the message: its return is not counted.
    return (await this.#holdBack(delayMs, closed)) === 'stopped' ? 'requeue' : 'failed'
  }

  async #retry(retry: DelayedRetry, { message, closed }: ChannelDelivery, error: Error): Promise<Answer> {
    const { onHandlerFailed } = this.#deps.callbacks
    if (this.#stopping.signal.aborted) return 'requeue'
    const decision = retry.decide(message)
    const failure = {
      messageId: messageIdOf(message),
      error,
      stage: 'handler',
      attempt: decision.attempt,
    } as const
    if (decision.kind === 'exhausted') {
      onHandlerFailed({ ...failure, answer: 'reject', delayMs: 0 })
      return 'reject'
    }
    const { delayMs } = decision
    onHandlerFailed({ ...failure, answer: 'retry', delayMs })
    if (retry.isNative) return 'failed'
    try {
      await retry.publish(message, decision)
      return 'ack'
    } catch (cause) {
      if (closed.aborted) return 'failed'
      // It may be in the retry queue: it is delivered again rather than lost.
      const heldMs = requeueDelayMs(this.#settings.requeueDelayMs, this.#failures.count(message))
      const text = `the message cannot be moved to its retry queue: ${asError(cause).message}`
      const notMoved = rabbitError('lost', text, { cause, outcome: 'unknown' })
      onHandlerFailed({ ...failure, error: notMoved, answer: 'requeue', delayMs: heldMs })
      return (await this.#holdBack(heldMs, closed)) === 'stopped' ? 'requeue' : 'failed'
    }
  }

  async #holdBack(delayMs: number, closed: AbortSignal): Promise<'over' | 'stopped'> {
    const either = linkedController(closed, this.#stopping.signal)
    try {
      await this.#deps.clock.sleep(delayMs, either.signal)
      return 'over'
    } catch {
      return this.#stopping.signal.aborted ? 'stopped' : 'over'
    } finally {
      either.unlink()
    }
  }

  // The broker does not confirm acks: one written to a failing connection looks like any other. So every answer is
  // cached, not only those whose channel was closed.
  #finish(run: HandlerRun, messageId: string | undefined, answer: Answer | 'again'): void {
    const { redeliveries, callbacks } = this.#deps
    const isSent = answer === 'again' ? false : sendAnswer(run.latest, answer)
    const final = isFinal(answer) ? answer : undefined
    const isCached = redeliveries.onHandled(messageId, run, final)
    if (!isSent && !isCached && final !== undefined) callbacks.onAckLost()
  }
}

function isFinal(answer: Answer | 'again'): answer is 'ack' | 'reject' {
  return answer === 'ack' || answer === 'reject'
}

// Without acks, no channel can take a message back.
const neverClosed = new AbortController().signal

const maxBacklogMessages = 1_000
const maxBacklogBytes = 16 * 1024 * 1024

/**
 * Messages of a consumer without acks that wait for their handler. When there are too many, the broker is asked to pause;
 * only what it has sent by then is added.
 */
class Backlog {
  readonly #messages: { readonly message: ConsumeMessage; readonly from: Subscription }[] = []
  #bytes = 0
  #paused: Subscription | undefined

  get length(): number {
    return this.#messages.length
  }

  add(message: ConsumeMessage, from: Subscription): void {
    this.#messages.push({ message, from })
    this.#bytes += message.content.length
    const isFull = this.length > maxBacklogMessages || this.#bytes > maxBacklogBytes
    if (!isFull || this.#paused === from) return
    this.#paused = from
    from.pause()
  }

  take(): { readonly message: ConsumeMessage; readonly from: Subscription } | undefined {
    const next = this.#messages.shift()
    this.#bytes -= next?.message.content.length ?? 0
    if (
      this.#paused !== undefined &&
      this.length <= maxBacklogMessages / 2 &&
      this.#bytes <= maxBacklogBytes / 2
    ) {
      this.#paused.resume()
      this.#paused = undefined
    }
    return next
  }
}

function asynchronousCodec(body: Promise<unknown>): Error {
  body.catch(() => undefined)
  return new TypeError('decode() returned a promise; a codec is synchronous')
}

// A store that the handler enters ends with the handler: `enterWith` changes the current resource.
function inContextOfItsOwn(handler: () => unknown): unknown {
  return new AsyncResource('ha.rabbit.delivery').runInAsyncScope(handler)
}

const noBody: Pick<Codec<undefined>, 'decode'> = { decode: () => undefined }
