import { type Clock, type Emitter, type Link, withDeadline } from '@ha/core'
import type { AmqpConnection } from '../amqp/connection.ts'
import { rabbitError } from '../codes.ts'
import type { RabbitEvents } from '../events.ts'
import type { ResolvedOptions } from '../options.ts'
import type { Routes } from '../publish/publishing.ts'
import { consumeArguments, exchangeKey, queueKey, routeKeys } from '../topology/plan.ts'
import { QueueNames } from '../topology/queue-names.ts'
import { topologyDeclarations } from '../topology/restore.ts'
import { AckReplay } from './ack-replay.ts'
import { type ConsumerReports, type ConsumeSettings, QueueConsumer, type StopReport } from './consumer.ts'

/** A subscription that lives until it is stopped. */
export interface Consumer {
  readonly queue: string
  /** `consuming`, or why not: `starting`, `retrying`, `refused` by the broker for good, `stopped`. */
  readonly status: ConsumerStatus
  /** Resolves when it consumes for the first time; rejects when the broker refuses it for good, or with `timed-out`. */
  ready(limit?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<void>
  /** Takes no more messages and lets handlers at work finish, up to `timeoutMs` (default 5 000). Never rejects. */
  stop(limit?: { readonly timeoutMs?: number }): Promise<StopReport>
}

export interface ConsumerHealth {
  readonly queue: string
  readonly status: ConsumerStatus
  /** Handlers at work. */
  readonly running: number
}

export type ConsumerStatus = 'starting' | 'consuming' | 'retrying' | 'refused' | 'stopped'

export interface ConsumingParts {
  readonly clock: Clock
  readonly options: ResolvedOptions
  readonly link: Link<AmqpConnection>
  readonly events: Emitter<RabbitEvents>
}

interface Known {
  readonly handle: Consumer
  readonly running: () => number
}

/** Everything that consumes, and the topology: one connection, and on it one channel for each consumer. */
export class Consuming implements Routes {
  readonly #parts: ConsumingParts
  readonly #names = new QueueNames()
  readonly #replays = new Map<string, AckReplay>()
  readonly #consumers = new Map<string, Known>()
  readonly #readyRoutes = new Set<string>()
  #number = 0

  constructor(parts: ConsumingParts) {
    this.#parts = parts
    const { options, link } = parts
    const declarations = topologyDeclarations(options.topology, this.#names, options.declareTimeoutMs)
    for (const declaration of declarations) link.ledger.declare(declaration)
  }

  /** Begins to dial when there is something to declare. */
  start(): void {
    const { link } = this.#parts
    if (link.ledger.keys().length > 0) link.start()
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
    const { link, options } = this.#parts
    this.#number += 1
    const key = `consumer ${this.#number} of ${settings.queue}`
    const consumer = new QueueConsumer(settings, this.#consumerParts(settings, key))
    const needs = options.topology.queues?.[settings.queue] === undefined ? [] : [queueKey(settings.queue)]
    link.ledger.declare(consumer.declaration(key, needs, options.declareTimeoutMs))
    link.start()
    const handle = this.#handle(key, settings.queue, consumer)
    this.#consumers.set(key, { handle, running: () => consumer.running })
    return handle
  }

  /** Stops every consumer, all in the same time. */
  async stop(timeoutMs: number): Promise<StopReport> {
    const reports = await Promise.all(
      [...this.#consumers.values()].map(({ handle }) => handle.stop({ timeoutMs })),
    )
    return { abandoned: reports.reduce((total, { abandoned }) => total + abandoned, 0) }
  }

  ready(exchange: string, key: string): boolean {
    // Without a topology there is nothing to wait for, and nothing to look up for each message.
    if (this.#parts.link.state.kind === 'idle') return true
    const route = exchange === '' ? `queue ${key}` : exchange
    if (this.#readyRoutes.has(route)) return true
    const keys = routeKeys(this.#parts.options.topology, exchange, key)
    if (!keys.every((needed) => this.#parts.link.ledger.isSettled(needed))) return false
    this.#readyRoutes.add(route)
    return true
  }

  restore(exchange: string): boolean {
    const { options, link } = this.#parts
    if (options.topology.exchanges?.[exchange] === undefined) return false
    this.#readyRoutes.delete(exchange)
    link.lapse(exchangeKey(exchange), rabbitError('exchange-missing', `exchange '${exchange}' has vanished`))
    return true
  }

  changed(signal: AbortSignal): Promise<void> {
    return this.#parts.link.ledger.changed.wait(signal)
  }

  #consumerParts<T>(
    { queue }: ConsumeSettings<T>,
    key: string,
  ): ConstructorParameters<typeof QueueConsumer<T>>[1] {
    const { clock, options } = this.#parts
    const spec = options.topology.queues?.[queue]
    return {
      clock,
      replay: this.#replayOf(queue),
      reports: this.#reports(queue, key),
      tagPrefix: `${options.name}-${this.#number}`,
      queueName: () => this.#names.get(queue),
      argumentsFor: (version) => consumeArguments(spec, version),
    }
  }

  // Two consumers of one queue share their memory: the broker hands out to either.
  #replayOf(queue: string): AckReplay {
    const known = this.#replays.get(queue) ?? new AckReplay(this.#parts.clock)
    this.#replays.set(queue, known)
    return known
  }

  #reports(queue: string, key: string): ConsumerReports {
    const { link, events } = this.#parts
    return {
      lost: (error) => {
        events.emit('consumerLost', { queue, error })
        link.lapse(key, error)
      },
      queueMissing: () =>
        link.lapse(queueKey(queue), rabbitError('queue-missing', `queue '${queue}' has vanished`)),
      ackReplayed: (messageId) => events.emit('ackReplayed', { queue, messageId }),
      ackLost: () => events.emit('ackLost', { queue }),
      handlerFailed: (messageId, error) => events.emit('handlerFailed', { queue, messageId, error }),
    }
  }

  #handle<T>(key: string, queue: string, consumer: QueueConsumer<T>): Consumer {
    const { link, clock } = this.#parts
    const known = this.#consumers
    const expired = (): Error =>
      rabbitError('timed-out', `no consumer on '${queue}' yet`, { retryable: true })
    let stopping: Promise<StopReport> | undefined
    return {
      queue,
      get status() {
        return statusOf(link.ledger.standing(key)?.kind)
      },
      ready: ({ timeoutMs = 30_000, signal } = {}) =>
        withDeadline(clock, { timeoutMs, signal, expired }, (inner) => link.ledger.whenSettled(key, inner)),
      stop({ timeoutMs = 5_000 } = {}) {
        link.ledger.forget(key)
        known.delete(key)
        stopping ??= consumer.stop(timeoutMs)
        return stopping
      },
    }
  }
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
