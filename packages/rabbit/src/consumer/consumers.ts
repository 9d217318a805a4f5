import type { Clock, Link } from '@ha/core'
import { type Emitter, invalidOption, linkedController, withDeadline } from '@ha/core/driver'
import type { RabbitEvents } from '../client-events.ts'
import type { AmqpConnection } from '../driver/connection.ts'
import { rabbitError } from '../errors.ts'
import type { Links } from '../links.ts'
import { checkLimit, type ResolvedOptions, shortName, waitOptions } from '../options.ts'
import { type DeclaredTopology, lastFailure, whenSettled } from '../topology/declare.ts'
import { consumeArguments, isPassive, type QueueSpec, queueKey } from '../topology/topology.ts'
import { type ConsumerCallbacks, type ConsumerDeps, QueueConsumer, type StopReport } from './consumer.ts'
import type { ConsumeSettings } from './handler-runner.ts'
import { RedeliveryCache } from './redelivery-cache.ts'

/** A subscription that is kept until it is stopped. */
export interface Consumer {
  readonly queue: string
  /** `consuming`, or why not: `starting`, `retrying`, `refused` by the broker and tried again, `stopped`. */
  readonly status: ConsumerStatus
  /**
   * Resolves when it consumes for the first time. Rejects when the broker refuses it, with `closed` when it
   * is stopped, or, by default after 30 s, with `timed-out` and the reason.
   */
  ready(limit?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>
  /**
   * Takes no more messages and lets running handlers finish, up to `timeoutMs` (default 5 000). Never rejects. A later
   * call, also by the end of the client, can only shorten the time.
   */
  stop(limit?: { readonly timeoutMs?: number }): Promise<StopReport>
}

export type ConsumerStatus = 'starting' | 'consuming' | 'retrying' | 'refused' | 'stopped'

export interface ConsumerHealth {
  readonly queue: string
  readonly status: ConsumerStatus
  /** Number of running handlers. */
  readonly running: number
}

interface ConsumersDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly options: ResolvedOptions
  readonly links: Links
  readonly topology: DeclaredTopology
  readonly events: Emitter<RabbitEvents>
}

interface RegisteredConsumer {
  readonly handle: Consumer
  readonly running: () => number
  readonly stop: (signal: AbortSignal) => Promise<StopReport>
}

// Caches of queues whose last consumer stopped while its connection was lost: another one may be started.
const maxUnusedCaches = 8

/** All consumers of a client: they share one connection, and each has a channel of its own. */
export class Consumers {
  readonly #deps: ConsumersDeps
  readonly #redeliveries = new Map<string, RedeliveryCache>()
  readonly #consumers = new Map<string, RegisteredConsumer>()
  #created = 0

  constructor(deps: ConsumersDeps) {
    this.#deps = deps
  }

  get health(): readonly ConsumerHealth[] {
    return [...this.#consumers.values()].map(({ handle, running }) => ({
      queue: handle.queue,
      status: handle.status,
      running: running(),
    }))
  }

  consume<T>(settings: ConsumeSettings<T>): Consumer {
    const { clock, links, options } = this.#deps
    const link = links.consume
    const { queue } = settings
    if (settings.retry !== undefined) checkRetryTarget(queue, options.topology.queues?.[queue])
    this.#created += 1
    const key = `consumer ${this.#created} of ${queue}`
    const consumer = new QueueConsumer(settings, this.#consumerDeps(queue, key))
    const { desiredState } = link
    const needs = desiredState.status(queueKey(queue)) === undefined ? [] : [queueKey(queue)]
    desiredState.declare(consumer.declaration(key, needs, options.declareTimeoutMs))
    link.start()
    const stop = (signal: AbortSignal): Promise<StopReport> => this.#stop(key, queue, consumer, signal)
    const handle = createConsumerHandle({ clock, desiredState, key, queue, stop })
    this.#consumers.set(key, { handle, running: () => consumer.running, stop })
    return handle
  }

  /** Stops every consumer; when the signal fires, running handlers are abandoned. */
  async stop(signal: AbortSignal): Promise<StopReport> {
    const reports = await Promise.all([...this.#consumers.values()].map(({ stop }) => stop(signal)))
    return { abandoned: reports.reduce((total, { abandoned }) => total + abandoned, 0) }
  }

  #consumerDeps(queue: string, key: string): ConsumerDeps {
    const { clock, random, options, topology, links } = this.#deps
    const spec = options.topology.queues?.[queue]
    return {
      clock,
      random,
      redeliveries: this.#redeliveriesOf(queue),
      callbacks: this.#callbacks(queue, key),
      consumed: {
        tagPrefix: `${shortName(options.name)}-${this.#created}`,
        currentName: () => topology.queueName(queue),
        argumentsFor: (version) => consumeArguments(spec, version),
        connectToPublish: async (signal) => (await links.publish.acquire(signal)).connection,
        delaysReturns: spec?.settings.arguments?.['x-delayed-retry-type'] !== undefined,
      },
      timeoutMs: options.declareTimeoutMs,
    }
  }

  // All consumers of a queue share one cache: the broker redelivers to any of them.
  #redeliveriesOf(queue: string): RedeliveryCache {
    const cache = this.#redeliveries.get(queue) ?? new RedeliveryCache(this.#deps.clock)
    this.#redeliveries.set(queue, cache)
    return cache
  }

  #callbacks(queue: string, key: string): ConsumerCallbacks {
    const { links, events, topology } = this.#deps
    return {
      onLost: (error) => {
        events.emit('consumerLost', { queue, error })
        links.consume.invalidate(key, error)
      },
      onQueueMissing: () => topology.redeclareQueue(queue),
      onAckReplayed: (messageId) => events.emit('ackReplayed', { queue, messageId }),
      onAckLost: () => events.emit('ackLost', { queue }),
      onHandlerFailed: (failure) => events.emit('handlerFailed', { queue, ...failure }),
    }
  }

  // The consumer stays registered until it has stopped: the end of the client waits for its handlers as well.
  async #stop<T>(
    key: string,
    queue: string,
    consumer: QueueConsumer<T>,
    signal: AbortSignal,
  ): Promise<StopReport> {
    if (!this.#consumers.has(key)) return consumer.stop(signal)
    this.#deps.links.consume.desiredState.forget(key)
    const report = await consumer.stop(signal)
    this.#consumers.delete(key)
    this.#releaseCache(queue, consumer.allAnswered)
    return report
  }

  // Without a consumer, a cache is of use only while the broker may redeliver a message that was answered.
  #releaseCache(queue: string, allAnswered: boolean): void {
    if (this.#isConsumed(queue)) return
    const cache = this.#redeliveries.get(queue)
    this.#redeliveries.delete(queue)
    if (cache === undefined || cache.isEmpty || allAnswered) return
    this.#redeliveries.set(queue, cache)
    const unused = [...this.#redeliveries.keys()].filter((name) => !this.#isConsumed(name))
    for (const name of unused.slice(0, -maxUnusedCaches)) this.#redeliveries.delete(name)
  }

  #isConsumed(queue: string): boolean {
    return [...this.#consumers.values()].some(({ handle }) => handle.queue === queue)
  }
}

// After the last attempt the message is rejected, and a queue without a target drops it.
function checkRetryTarget(queue: string, spec: QueueSpec | undefined): void {
  if (spec === undefined) return
  const path = `consume '${queue}'.retry`
  if (spec.kind === 'stream')
    throw invalidOption(path, 'a stream keeps its messages: a failed handler is called again in the process')
  // What another service has declared is not known here.
  if (isPassive(spec)) return
  const { deadLetterExchange, arguments: given } = spec.settings
  if (spec.kind === 'ephemeral')
    throw invalidOption(path, 'an ephemeral queue has another name on each connection, and cannot be retried')
  if (deadLetterExchange !== undefined || given?.['x-dead-letter-exchange'] !== undefined) return
  const remedy =
    'declare its deadLetterExchange, or, for one that a policy sets, leave the queue out of the topology'
  throw invalidOption(path, `the queue drops the message after the last attempt: ${remedy}`)
}

interface ConsumerHandleDeps {
  readonly clock: Clock
  readonly desiredState: Link<AmqpConnection>['desiredState']
  /** The key of its declaration. The consumer is stopped when there is no declaration under this key. */
  readonly key: string
  readonly queue: string
  readonly stop: (signal: AbortSignal) => Promise<StopReport>
}

function createConsumerHandle(deps: ConsumerHandleDeps): Consumer {
  const { clock, desiredState, key, queue, stop } = deps
  return {
    queue,
    get status() {
      return statusOf(desiredState.status(key)?.kind)
    },
    ready: async (limit) => {
      checkLimit('ready', limit, waitOptions)
      const { timeoutMs = 30_000, signal } = limit ?? {}
      await waitUntilConsuming(deps, timeoutMs, signal)
    },
    stop: async (limit) => {
      checkLimit('stop', limit, ['timeoutMs'])
      const { timeoutMs = 5_000 } = limit ?? {}
      const scope = linkedController()
      const expired = `${queue}: handlers still running after ${timeoutMs} ms`
      const cancel = clock.after(timeoutMs, () => scope.abort(rabbitError('timed-out', expired)))
      return stop(scope.signal).finally(cancel)
    },
  }
}

async function waitUntilConsuming(
  { clock, desiredState, key, queue }: ConsumerHandleDeps,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  let cause: Error | undefined
  const onWait = (): void => {
    cause = lastFailure(desiredState, key) ?? lastFailure(desiredState, queueKey(queue)) ?? cause
  }
  const expired = (): Error => {
    const why = cause === undefined ? '' : `: ${cause.message}`
    const message = `no consumer on '${queue}' within ${timeoutMs} ms${why}`
    return rabbitError('timed-out', message, { retryable: true, cause })
  }
  await withDeadline(clock, { timeoutMs, signal, expired }, (inner) =>
    whenSettled(desiredState, key, inner, onWait),
  )
  if (desiredState.status(key) === undefined)
    throw rabbitError('closed', `the consumer of '${queue}' is stopped`)
}

function statusOf(declaration: string | undefined): ConsumerStatus {
  switch (declaration) {
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
