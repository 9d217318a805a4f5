import type { Clock, Link } from '@ha/core'
import { type Emitter, linkedController, withDeadline } from '@ha/core/driver'
import type { RabbitEvents } from '../client-events.ts'
import type { AmqpConnection } from '../driver/connection.ts'
import { rabbitError } from '../errors.ts'
import type { ResolvedOptions } from '../options.ts'
import type { Routes } from '../publisher/publishers.ts'
import {
  lastFailure,
  type MissingEnd,
  QueueNames,
  topologyDeclarations,
  whenSettled,
} from '../topology/declare.ts'
import { consumeArguments, exchangeKey, queueKey, routeKeys } from '../topology/topology.ts'
import { type ConsumerCallbacks, type ConsumeSettings, QueueConsumer, type StopReport } from './consumer.ts'
import { RedeliveryCache } from './redelivery-cache.ts'

export interface ConsumerHealth {
  readonly queue: string
  readonly status: ConsumerStatus
  /** Handlers at work. */
  readonly running: number
}

interface ConsumersDeps {
  readonly clock: Clock
  readonly options: ResolvedOptions
  readonly link: Link<AmqpConnection>
  readonly events: Emitter<RabbitEvents>
}

interface RegisteredConsumer {
  readonly handle: Consumer
  readonly running: () => number
  readonly stop: (signal: AbortSignal) => Promise<StopReport>
}

// What was made so recently is there: nothing is doubted more often.
const minRecheckIntervalMs = 5_000

/** Everything that consumes, and the topology: one connection, and on it one channel for each consumer. */
export class Consumers implements Routes {
  readonly #deps: ConsumersDeps
  readonly #names = new QueueNames()
  readonly #redeliveries = new Map<string, RedeliveryCache>()
  readonly #consumers = new Map<string, RegisteredConsumer>()
  readonly #readyRoutes = new Set<string>()
  #created = 0

  constructor(parts: ConsumersDeps) {
    this.#deps = parts
    const { options, link } = parts
    const restoring = {
      names: this.#names,
      clock: parts.clock,
      timeoutMs: options.declareTimeoutMs,
      onMissing: (missing: MissingEnd) => this.#onMissing(missing),
    }
    for (const declaration of topologyDeclarations(options.topology, restoring))
      link.desiredState.declare(declaration)
  }

  /** Begins to dial when there is something to declare. */
  start(): void {
    const { link } = this.#deps
    if (link.desiredState.keys().length > 0) link.start()
  }

  get consumers(): readonly ConsumerHealth[] {
    return [...this.#consumers.values()].map(({ handle, running }) => ({
      queue: handle.queue,
      status: handle.status,
      running: running(),
    }))
  }

  /** What a queue of the topology is called on the broker now. */
  nameOf(queue: string): string {
    return this.#names.get(queue)
  }

  consume<T>(settings: ConsumeSettings<T>): Consumer {
    const { link, options } = this.#deps
    this.#created += 1
    const key = `consumer ${this.#created} of ${settings.queue}`
    const consumer = new QueueConsumer(settings, this.#consumerDeps(settings, key))
    const needs = options.topology.queues?.[settings.queue] === undefined ? [] : [queueKey(settings.queue)]
    link.desiredState.declare(consumer.declaration(key, needs, options.declareTimeoutMs))
    link.start()
    const stop = (signal: AbortSignal): Promise<StopReport> => this.#stop(key, consumer, signal)
    const { clock } = this.#deps
    const handle = createConsumerHandle({
      clock,
      desiredState: link.desiredState,
      key,
      queue: settings.queue,
      stop,
    })
    this.#consumers.set(key, { handle, running: () => consumer.running, stop })
    return handle
  }

  /** Stops every consumer; when the signal fires, handlers still at work are abandoned. */
  async stop(signal: AbortSignal): Promise<StopReport> {
    const reports = await Promise.all([...this.#consumers.values()].map(({ stop }) => stop(signal)))
    return { abandoned: reports.reduce((total, { abandoned }) => total + abandoned, 0) }
  }

  isRouteReady(exchange: string, key: string): boolean {
    // Without a topology there is nothing to wait for, and nothing to look up for each message.
    if (this.#deps.link.state.kind === 'idle') return true
    const route = exchange === '' ? `queue ${key}` : exchange
    if (this.#readyRoutes.has(route)) return true
    const keys = routeKeys(this.#deps.options.topology, exchange, key)
    // Only our own routes are kept: the names that others publish to, such as `replyTo`, have no end.
    if (keys.length === 0) return true
    if (!keys.every((needed) => this.#deps.link.desiredState.isSettled(needed))) return false
    this.#readyRoutes.add(route)
    return true
  }

  // The broker tells nobody of a binding that is gone, and not every consumer of a queue. Made once more, a binding finds
  // out; where nothing was bound for that key, it costs one request for each binding now and then.
  recheck(exchange: string, key: string): void {
    const { clock, link, options } = this.#deps
    const keys = routeKeys(options.topology, exchange, key).filter((one) => one !== exchangeKey(exchange))
    for (const one of keys) {
      const standing = link.desiredState.standing(one)
      if (standing?.kind !== 'held' || clock.now() - standing.sinceMs < minRecheckIntervalMs) continue
      this.#invalidate(one, rabbitError('unroutable', `nothing was routed to ${one}`))
    }
  }

  redeclareExchange(exchange: string): boolean {
    const { options } = this.#deps
    if (options.topology.exchanges?.[exchange] === undefined) return false
    this.#invalidate(
      exchangeKey(exchange),
      rabbitError('exchange-missing', `exchange '${exchange}' has vanished`),
    )
    return true
  }

  changed(signal: AbortSignal): Promise<void> {
    return this.#deps.link.desiredState.changed.wait(signal)
  }

  // What was held to be there when the binding was tried is not there: it is made again, and then the binding. Traffic
  // waits for both.
  #onMissing({ binding, needs, triedAtMs, error }: MissingEnd): void {
    const { desiredState: ledger } = this.#deps.link
    for (const key of needs) {
      const standing = ledger.standing(key)
      const isNewer = standing?.kind === 'held' && standing.sinceMs >= triedAtMs
      if (!isNewer && ledger.isSettled(key)) this.#invalidate(key, error)
    }
    this.#invalidate(binding, error)
  }

  // A part of the topology has vanished: until it is back, what is published through it waits.
  #invalidate(key: string, error: Error): void {
    this.#readyRoutes.clear()
    this.#deps.link.lapse(key, error)
  }

  #consumerDeps<T>(
    { queue }: ConsumeSettings<T>,
    key: string,
  ): ConstructorParameters<typeof QueueConsumer<T>>[1] {
    const { clock, options } = this.#deps
    const spec = options.topology.queues?.[queue]
    return {
      clock,
      redeliveries: this.#redeliveriesOf(queue),
      callbacks: this.#callbacks(queue, key),
      tagPrefix: `${options.name}-${this.#created}`,
      queueName: () => this.#names.get(queue),
      argumentsFor: (version) => consumeArguments(spec, version),
    }
  }

  // Two consumers of one queue share their memory: the broker hands out to either.
  #redeliveriesOf(queue: string): RedeliveryCache {
    const known = this.#redeliveries.get(queue) ?? new RedeliveryCache(this.#deps.clock)
    this.#redeliveries.set(queue, known)
    return known
  }

  #callbacks(queue: string, key: string): ConsumerCallbacks {
    const { link, events } = this.#deps
    return {
      onLost: (error) => {
        events.emit('consumerLost', { queue, error })
        link.lapse(key, error)
      },
      onQueueMissing: () =>
        this.#invalidate(queueKey(queue), rabbitError('queue-missing', `queue '${queue}' has vanished`)),
      onAckReplayed: (messageId) => events.emit('ackReplayed', { queue, messageId }),
      onAckLost: () => events.emit('ackLost', { queue }),
      onHandlerFailed: (messageId, error) => events.emit('handlerFailed', { queue, messageId, error }),
    }
  }

  // Known until it has stopped: the end of the client waits for its handlers as well.
  async #stop<T>(key: string, consumer: QueueConsumer<T>, signal: AbortSignal): Promise<StopReport> {
    this.#deps.link.desiredState.forget(key)
    const report = await consumer.stop(signal)
    this.#consumers.delete(key)
    return report
  }
}

/** A subscription that lives until it is stopped. */
export interface Consumer {
  readonly queue: string
  /** `consuming`, or why not: `starting`, `retrying`, `refused` by the broker for good, `stopped`. */
  readonly status: ConsumerStatus
  /**
   * Resolves when it consumes for the first time. Rejects when the broker refuses it for good, with `closed` when it
   * is stopped, or, by default after 30 s, with `timed-out` and the reason.
   */
  ready(limit?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>
  /**
   * Takes no more messages and lets handlers at work finish, up to `timeoutMs` (default 5 000). Never rejects. Called
   * again, also by the end of the client, it can only become shorter.
   */
  stop(limit?: { readonly timeoutMs?: number }): Promise<StopReport>
}

export type ConsumerStatus = 'starting' | 'consuming' | 'retrying' | 'refused' | 'stopped'

interface ConsumerHandleDeps {
  readonly clock: Clock
  readonly desiredState: Link<AmqpConnection>['desiredState']
  /** Under which it is declared; it is stopped when nothing is. */
  readonly key: string
  readonly queue: string
  readonly stop: (signal: AbortSignal) => Promise<StopReport>
}

/** A consumer as its user sees it. */
function createConsumerHandle(parts: ConsumerHandleDeps): Consumer {
  const { clock, desiredState: ledger, key, queue, stop } = parts
  return {
    queue,
    get status() {
      return statusOf(ledger.standing(key)?.kind)
    },
    ready: ({ timeoutMs = 30_000, signal } = {}) => waitUntilConsuming(parts, timeoutMs, signal),
    stop: async ({ timeoutMs = 5_000 } = {}) => {
      const scope = linkedController()
      const expired = `${queue}: handlers still at work after ${timeoutMs} ms`
      const cancel = clock.after(timeoutMs, () => scope.abort(rabbitError('timed-out', expired)))
      return stop(scope.signal).finally(cancel)
    },
  }
}

async function waitUntilConsuming(
  { clock, desiredState: ledger, key, queue }: ConsumerHandleDeps,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  let cause: Error | undefined
  const onWait = (): void => {
    cause = lastFailure(ledger, key) ?? lastFailure(ledger, queueKey(queue)) ?? cause
  }
  const expired = (): Error => {
    const why = cause === undefined ? '' : `: ${cause.message}`
    const message = `no consumer on '${queue}' within ${timeoutMs} ms${why}`
    return rabbitError('timed-out', message, { retryable: true, cause })
  }
  await withDeadline(clock, { timeoutMs, signal, expired }, (inner) =>
    whenSettled(ledger, key, inner, onWait),
  )
  if (ledger.standing(key) === undefined) throw rabbitError('closed', `the consumer of '${queue}' is stopped`)
}

function statusOf(standing: string | undefined): ConsumerStatus {
  switch (standing) {
    case undefined:
      return 'stopped'
    case 'held':
      return 'consuming'
    case 'refused':
      return 'refused'
    case 'retrying':
      return 'retrying'
    default:
      return 'starting'
  }
}
