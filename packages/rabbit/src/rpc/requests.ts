import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { type Clock, type HaError, isHaError, type Link, type Outcome } from '@ha/core'
import {
  asError,
  type Deferred,
  deferred,
  invalidOption,
  type LinkedController,
  leaseOf,
  linkedController,
  Notifier,
  raceAbort,
  withDeadline,
} from '@ha/core/driver'
import { bytes } from '../codec.ts'
import type { Consumer, Consumers } from '../consumer/consumers.ts'
import type { Delivery } from '../consumer/delivery.ts'
import { openChannel } from '../driver/channel.ts'
import type { AmqpConnection } from '../driver/connection.ts'
import { rabbitError, topologyConflict } from '../errors.ts'
import type { Links } from '../links.ts'
import {
  type ResolvedOptions,
  resolveConsumeOptions,
  resolvePublisherOptions,
  shortName,
} from '../options.ts'
import type { Publisher, PublishOptions } from '../publisher/publisher.ts'
import type { Publishers } from '../publisher/publishers.ts'
import { type DeclaredTopology, lastFailure, whenSettled } from '../topology/declare.ts'
import { queueKey, quorum } from '../topology/topology.ts'
import {
  abortedRequest,
  type Reply,
  type RequestMessage,
  type RequestOptions,
  type RequestTarget,
  replyOf,
  requestMessage,
} from './request-message.ts'

/** The limits of all requests of a client. */
export interface RequestLimits {
  /** Maximum number of requests without a reply; further ones are rejected with `buffer-full`. Default 10 000. */
  readonly maxPending: number
  /** Maximum size of their content together, in bytes, plus 1 KiB each. Default 64 MiB. */
  readonly maxBytes: number
}

/** The requests of a client, as plain data. */
export interface RequestsHealth {
  /** Number of requests without a reply. */
  readonly pending: number
  readonly bytes: number
  /** Number of replies, so far, for which no request was waiting: they came late or twice. */
  readonly ignoredReplies: number
}

interface RequestsDeps {
  readonly clock: Clock
  readonly options: ResolvedOptions
  readonly links: Links
  readonly topology: DeclaredTopology
  readonly publishers: Publishers
  /** For the reply queue only: it is consumed until the handlers of all other consumers have finished. */
  readonly consumers: Consumers
}

/** Where a pending request is. Only a request that is `preparing` has certainly not been sent. */
type RequestState =
  /** It waits for the reply queue. */
  | { readonly kind: 'preparing' }
  /** The publisher has it, and settles it with the outcome when it fails. */
  | { readonly kind: 'publishing' }
  /** It was confirmed, or it is in doubt whether the broker has it. Its reply may come. */
  | { readonly kind: 'sent'; readonly atMs: number; readonly doubt: Error | undefined }
  /** It was sent before, and is sent once more. */
  | { readonly kind: 'repeating'; readonly doubt: Error | undefined }

interface PendingRequest {
  readonly correlationId: string
  /** Names it in errors. */
  readonly text: string
  readonly exchange: string
  readonly content: Buffer
  readonly properties: PublishOptions
  readonly bytes: number
  readonly timeoutMs: number
  readonly deadlineMs: number
  readonly repeatable: boolean
  readonly answer: Deferred<Delivery<Uint8Array>>
  /** Fires when the caller aborts, and when the request is settled. */
  readonly scope: LinkedController
  /** The async context of the caller: it is sent again in it. */
  readonly context: AsyncResource
  cancelDeadline: () => void
  state: RequestState
  repeats: number
}

/** What is opened with the first request. */
interface ReplyPath {
  readonly queue: string
  readonly consumer: Consumer
  // A publish to a missing exchange ends its channel: requests to queues by name do not share it.
  readonly toQueues: Publisher<Uint8Array>
  readonly toExchanges: Publisher<Uint8Array>
}

// The reply queue outlives the longest failover, and is deleted when its client has crashed.
const replyQueueExpiresMs = 300_000
const requestOverheadBytes = 1_024
const maxRepeats = 3
const replyPrefetch = 256
const maxDeleteMs = 500

/** All requests of a client: they share one reply queue, which keeps replies while no connection is open. */
export class Requests {
  readonly #deps: RequestsDeps
  readonly #pending = new Map<string, PendingRequest>()
  readonly #settled = new Notifier()
  // The reply queue lives as long as the client, and not in the context of the first caller.
  readonly #inClientContext = AsyncLocalStorage.snapshot()
  readonly #id = randomUUID()
  #sequence = 0
  #bytes = 0
  #ignoredReplies = 0
  #path: ReplyPath | undefined
  #phase: 'open' | 'draining' | 'closed' = 'open'

  constructor(deps: RequestsDeps) {
    this.#deps = deps
  }

  get health(): RequestsHealth {
    return { pending: this.#pending.size, bytes: this.#bytes, ignoredReplies: this.#ignoredReplies }
  }

  async request<A, Q>(target: RequestTarget, body: Q, options: RequestOptions<Q, A>): Promise<Reply<A>> {
    if (this.#phase !== 'open') throw rabbitError('closed', 'the client takes no more requests')
    const message = checked(() => requestMessage(target, body, options))
    const pending = this.#accept(message)
    void this.#send(pending)
    // In the context of the caller: the codec is a function of the application.
    return replyOf(await pending.answer.promise, pending.text, message.replyCodec)
  }

  /** The broker has ended the subscription of a queue. When it is that of the replies, some may have been lost. */
  onConsumerLost(queue: string): void {
    if (queue !== this.#path?.queue) return
    this.#deps.topology.redeclareQueue(queue)
    this.#repeatSentBefore(this.#deps.clock.now())
  }

  /** Takes no more requests, waits for replies up to `timeoutMs` or until the signal fires, and fails the rest. */
  async drain(timeoutMs: number, signal: AbortSignal): Promise<void> {
    this.#phase = 'draining'
    const expired = (): HaError => rabbitError('timed-out', 'requests are still without a reply')
    try {
      await withDeadline(this.#deps.clock, { timeoutMs, signal, expired }, async (inner) => {
        while (this.#pending.size > 0) await this.#settled.wait(inner)
      })
    } catch {
      // The deadline has passed: the rest is failed.
    }
    this.#phase = 'closed'
    // The publisher settles what it has: it alone knows whether that was sent.
    for (const pending of [...this.#pending.values()])
      if (pending.state.kind !== 'publishing') this.#fail(pending, closedError(pending))
  }

  /** Ends the subscription and deletes the reply queue, up to `timeoutMs` or until the signal fires. Never rejects. */
  async close(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#path === undefined || timeoutMs <= 0) return
    const { queue, consumer } = this.#path
    const { clock, links, topology } = this.#deps
    const limitMs = Math.min(timeoutMs, maxDeleteMs)
    const expired = (): HaError => rabbitError('timed-out', `queue '${queue}' was not deleted in time`)
    try {
      await withDeadline(clock, { timeoutMs: limitMs, signal, expired }, async (inner) => {
        await consumer.stop({ timeoutMs: limitMs })
        topology.forgetQueue(queue)
        const lease = leaseOf(links.consume.state)
        if (lease !== undefined) await deleteQueue(queue, lease.connection, inner)
      })
    } catch {
      // The broker deletes it when it expires.
    }
  }

  #accept(message: RequestMessage<unknown>): PendingRequest {
    const { clock } = this.#deps
    const { exchange, content, properties: given, timeoutMs, repeatable, signal } = message
    const size = content.length + requestOverheadBytes
    this.#checkSpace(size)
    this.#sequence += 1
    const correlationId = given.correlationId ?? `${this.#id}-${this.#sequence.toString(36)}`
    if (this.#pending.has(correlationId))
      throw invalidOption('request.correlationId', `another request with '${correlationId}' awaits its reply`)
    const messageId = given.messageId ?? correlationId
    const pending: PendingRequest = {
      correlationId,
      text: `request ${messageId} to exchange '${exchange}' with key '${given.key}'`,
      exchange,
      content,
      properties: { ...given, messageId, correlationId },
      bytes: size,
      timeoutMs,
      deadlineMs: clock.now() + timeoutMs,
      repeatable,
      answer: deferred(),
      scope: linkedController(signal),
      context: new AsyncResource('HaRequest', { requireManualDestroy: true }),
      cancelDeadline: clock.after(timeoutMs, () => this.#onDeadline(pending)),
      state: { kind: 'preparing' },
      repeats: 0,
    }
    pending.scope.signal.addEventListener('abort', () => this.#onAborted(pending), { once: true })
    this.#pending.set(correlationId, pending)
    this.#bytes += size
    return pending
  }

  #checkSpace(size: number): void {
    const { maxPending, maxBytes } = this.#deps.options.requests
    const full =
      this.#pending.size >= maxPending
        ? `${this.#pending.size} requests await a reply (requests.maxPending)`
        : `requests of ${this.#bytes} bytes await a reply, and this one has ${size} (requests.maxBytes ${maxBytes})`
    if (this.#pending.size >= maxPending || this.#bytes + size > maxBytes)
      throw rabbitError('buffer-full', full, { retryable: true })
  }

  // Never rejects. A request that fails after it may have been sent stays pending: its reply may come.
  async #send(pending: PendingRequest): Promise<void> {
    const { clock } = this.#deps
    try {
      const path = this.#open()
      await this.#replyQueueReady(path.queue, pending.scope.signal)
      if (this.#pending.get(pending.correlationId) !== pending) return
      if (pending.state.kind === 'preparing') pending.state = { kind: 'publishing' }
      const timeoutMs = Math.max(1, pending.deadlineMs - clock.now())
      const { exchange, content, properties } = pending
      const publisher = exchange === '' ? path.toQueues : path.toExchanges
      await publisher.publish(content, {
        ...properties,
        expirationMs: properties.expirationMs ?? Math.ceil(timeoutMs),
        replyTo: path.queue,
        timeoutMs,
        signal: pending.scope.signal,
      })
      this.#onSent(pending, undefined)
    } catch (thrown) {
      this.#onNotConfirmed(pending, asError(thrown))
    }
  }

  #onNotConfirmed(pending: PendingRequest, error: Error): void {
    const { state } = pending
    // What was sent once may still be answered.
    if (state.kind === 'repeating') this.#onSent(pending, state.doubt)
    else if (isHaError(error) && error.code === 'outcome-unknown') this.#onSent(pending, error)
    else this.#fail(pending, error)
  }

  #onSent(pending: PendingRequest, doubt: Error | undefined): void {
    pending.state = { kind: 'sent', atMs: this.#deps.clock.now(), doubt }
    if (this.#phase === 'closed') this.#fail(pending, closedError(pending))
  }

  async #replyQueueReady(queue: string, signal: AbortSignal): Promise<void> {
    const { desiredState } = this.#deps.links.consume
    const key = queueKey(queue)
    if (desiredState.status(key)?.kind === 'held') return
    try {
      await whenSettled(desiredState, key, signal, () => undefined)
    } catch (thrown) {
      throw isHaError(thrown) && desiredState.isRefused(key) ? topologyConflict(key, thrown) : thrown
    }
  }

  #open(): ReplyPath {
    this.#path ??= this.#inClientContext(() => this.#openPath())
    return this.#path
  }

  // A quorum queue keeps replies when the node of the client fails; an exclusive one would end with the connection.
  #openPath(): ReplyPath {
    const { options, topology, consumers, publishers, links } = this.#deps
    const queue = `${shortName(options.name)}.replies.${this.#id}`
    topology.declareQueue(queue, quorum({ expiresMs: replyQueueExpiresMs }))
    const onReply = (delivery: Delivery<Uint8Array>): void => this.#onReply(delivery)
    const consumeOptions = { codec: bytes(), prefetch: replyPrefetch }
    const consumer = consumers.consume(resolveConsumeOptions(queue, onReply, consumeOptions))
    const publisherOptions = resolvePublisherOptions({ codec: bytes() })
    for (const link of [links.publish, links.consume]) this.#repeatAfterLosses(link)
    return {
      queue,
      consumer,
      toQueues: publishers.createPublisher(publisherOptions),
      toExchanges: publishers.createPublisher(publisherOptions),
    }
  }

  #onReply(delivery: Delivery<Uint8Array>): void {
    const pending = this.#pending.get(delivery.correlationId ?? '')
    if (pending === undefined) this.#ignoredReplies += 1
    else if (this.#settle(pending)) pending.answer.resolve(delivery)
  }

  #repeatAfterLosses(link: Link<AmqpConnection>): void {
    let lostAtMs: number | undefined
    link.events.on('lost', () => {
      lostAtMs = this.#deps.clock.now()
    })
    link.events.on('state', ({ kind }) => {
      if (kind !== 'ready' || lostAtMs === undefined) return
      this.#repeatSentBefore(lostAtMs)
      lostAtMs = undefined
    })
  }

  // The request, its responder's connection, or the reply may have been lost together with the node.
  #repeatSentBefore(atMs: number): void {
    for (const pending of [...this.#pending.values()]) {
      const { state } = pending
      if (!pending.repeatable || state.kind !== 'sent' || state.atMs > atMs || pending.repeats >= maxRepeats)
        continue
      pending.repeats += 1
      pending.state = { kind: 'repeating', doubt: state.doubt }
      void pending.context.runInAsyncScope(() => this.#send(pending))
    }
  }

  #onDeadline(pending: PendingRequest): void {
    const { state, text, timeoutMs } = pending
    // The publisher has the same deadline, and knows whether the message was sent.
    if (state.kind === 'publishing') return
    const { consume } = this.#deps.links
    if (state.kind === 'preparing') {
      const key = queueKey(this.#open().queue)
      const cause = lastFailure(consume.desiredState, key) ?? consume.unavailableReason()
      const why = cause === undefined ? '' : `: ${cause.message}`
      const message = `${text}: not sent, because its reply queue was not declared within ${timeoutMs} ms${why}`
      this.#fail(pending, rabbitError('timed-out', message, { retryable: true, cause }))
      return
    }
    const { doubt } = state
    const sent = doubt === undefined ? 'confirmed by the broker' : 'sent, but not confirmed'
    const message = `${text}: ${sent}, and no reply came within ${timeoutMs} ms`
    const cause = doubt ?? consume.unavailableReason()
    this.#fail(pending, rabbitError('timed-out', message, { outcome: 'unknown', cause }))
  }

  #onAborted(pending: PendingRequest): void {
    if (pending.state.kind === 'publishing') return
    this.#fail(pending, abortedRequest(pending.text, pending.scope.signal.reason, outcomeOf(pending)))
  }

  #fail(pending: PendingRequest, error: Error): void {
    if (this.#settle(pending)) pending.answer.reject(error)
  }

  // The first settlement counts. What the publisher still has of it is dropped.
  #settle(pending: PendingRequest): boolean {
    if (this.#pending.get(pending.correlationId) !== pending) return false
    this.#pending.delete(pending.correlationId)
    this.#bytes -= pending.bytes
    pending.cancelDeadline()
    pending.scope.abort(rabbitError('aborted', 'the request is settled'))
    this.#settled.notifyAll()
    return true
  }
}

// A getter of an argument may throw anything.
function checked<T>(read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    if (isHaError(thrown)) throw thrown
    throw rabbitError('config-invalid', `request: ${asError(thrown).message}`, { cause: thrown })
  }
}

function outcomeOf({ state }: PendingRequest): Outcome {
  return state.kind === 'preparing' ? 'not-done' : 'unknown'
}

function closedError(pending: PendingRequest): HaError {
  const message = `${pending.text}: the client was closed before a reply`
  return rabbitError('closed', message, { outcome: outcomeOf(pending) })
}

async function deleteQueue(queue: string, connection: AmqpConnection, signal: AbortSignal): Promise<void> {
  const guard = await openChannel(connection, signal)
  try {
    await raceAbort(guard.channel.deleteQueue(queue), signal, () => undefined)
  } finally {
    guard.discard()
  }
}
