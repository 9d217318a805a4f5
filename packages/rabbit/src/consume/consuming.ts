import type { Clock, Link } from '@ha/core'
import type { Emitter } from '@ha/core/driver'
import type { AmqpConnection } from '../amqp/connection.ts'
import { rabbitError } from '../codes.ts'
import type { RabbitEvents } from '../events.ts'
import type { ResolvedOptions } from '../options.ts'
import type { Routes } from '../publish/publishing.ts'
import { consumeArguments, exchangeKey, queueKey, routeKeys } from '../topology/plan.ts'
import { QueueNames } from '../topology/queue-names.ts'
import { type Missing, topologyDeclarations } from '../topology/restore.ts'
import { AckReplay } from './ack-replay.ts'
import { type ConsumerReports, type ConsumeSettings, QueueConsumer, type StopReport } from './consumer.ts'
import { type Consumer, type ConsumerStatus, consumerHandle } from './handle.ts'

export interface ConsumerHealth {
  readonly queue: string
  readonly status: ConsumerStatus
  /** Handlers at work. */
  readonly running: number
}

export interface ConsumingParts {
  readonly clock: Clock
  readonly options: ResolvedOptions
  readonly link: Link<AmqpConnection>
  readonly events: Emitter<RabbitEvents>
}

interface Known {
  readonly handle: Consumer
  readonly running: () => number
  readonly stop: (signal: AbortSignal) => Promise<StopReport>
}

// What was made so recently is there: nothing is doubted more often.
const doubtedAfterMs = 5_000

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
    const restoring = {
      names: this.#names,
      clock: parts.clock,
      timeoutMs: options.declareTimeoutMs,
      onMissing: (missing: Missing) => this.#onMissing(missing),
    }
    for (const declaration of topologyDeclarations(options.topology, restoring))
      link.desiredState.declare(declaration)
  }

  /** Begins to dial when there is something to declare. */
  start(): void {
    const { link } = this.#parts
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
    const { link, options } = this.#parts
    this.#number += 1
    const key = `consumer ${this.#number} of ${settings.queue}`
    const consumer = new QueueConsumer(settings, this.#consumerParts(settings, key))
    const needs = options.topology.queues?.[settings.queue] === undefined ? [] : [queueKey(settings.queue)]
    link.desiredState.declare(consumer.declaration(key, needs, options.declareTimeoutMs))
    link.start()
    const stop = (signal: AbortSignal): Promise<StopReport> => this.#stop(key, consumer, signal)
    const { clock } = this.#parts
    const handle = consumerHandle({ clock, ledger: link.desiredState, key, queue: settings.queue, stop })
    this.#consumers.set(key, { handle, running: () => consumer.running, stop })
    return handle
  }

  /** Stops every consumer; when the signal fires, handlers still at work are abandoned. */
  async stop(signal: AbortSignal): Promise<StopReport> {
    const reports = await Promise.all([...this.#consumers.values()].map(({ stop }) => stop(signal)))
    return { abandoned: reports.reduce((total, { abandoned }) => total + abandoned, 0) }
  }

  ready(exchange: string, key: string): boolean {
    // Without a topology there is nothing to wait for, and nothing to look up for each message.
    if (this.#parts.link.state.kind === 'idle') return true
    const route = exchange === '' ? `queue ${key}` : exchange
    if (this.#readyRoutes.has(route)) return true
    const keys = routeKeys(this.#parts.options.topology, exchange, key)
    // Only our own routes are kept: the names that others publish to, such as `replyTo`, have no end.
    if (keys.length === 0) return true
    if (!keys.every((needed) => this.#parts.link.desiredState.isSettled(needed))) return false
    this.#readyRoutes.add(route)
    return true
  }

  // The broker tells nobody of a binding that is gone, and not every consumer of a queue. Made once more, a binding finds
  // out; where nothing was bound for that key, it costs one request for each binding now and then.
  doubt(exchange: string, key: string): void {
    const { clock, link, options } = this.#parts
    const keys = routeKeys(options.topology, exchange, key).filter((one) => one !== exchangeKey(exchange))
    for (const one of keys) {
      const standing = link.desiredState.standing(one)
      if (standing?.kind !== 'held' || clock.now() - standing.sinceMs < doubtedAfterMs) continue
      this.#lapse(one, rabbitError('unroutable', `nothing was routed to ${one}`))
    }
  }

  restore(exchange: string): boolean {
    const { options } = this.#parts
    if (options.topology.exchanges?.[exchange] === undefined) return false
    this.#lapse(exchangeKey(exchange), rabbitError('exchange-missing', `exchange '${exchange}' has vanished`))
    return true
  }

  changed(signal: AbortSignal): Promise<void> {
    return this.#parts.link.desiredState.changed.wait(signal)
  }

  // What was held to be there when the binding was tried is not there: it is made again, and then the binding. Traffic
  // waits for both.
  #onMissing({ binding, needs, triedAtMs, error }: Missing): void {
    const { desiredState: ledger } = this.#parts.link
    for (const key of needs) {
      const standing = ledger.standing(key)
      const isNewer = standing?.kind === 'held' && standing.sinceMs >= triedAtMs
      if (!isNewer && ledger.isSettled(key)) this.#lapse(key, error)
    }
    this.#lapse(binding, error)
  }

  // A part of the topology has vanished: until it is back, what is published through it waits.
  #lapse(key: string, error: Error): void {
    this.#readyRoutes.clear()
    this.#parts.link.lapse(key, error)
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
        this.#lapse(queueKey(queue), rabbitError('queue-missing', `queue '${queue}' has vanished`)),
      ackReplayed: (messageId) => events.emit('ackReplayed', { queue, messageId }),
      ackLost: () => events.emit('ackLost', { queue }),
      handlerFailed: (messageId, error) => events.emit('handlerFailed', { queue, messageId, error }),
    }
  }

  // Known until it has stopped: the end of the client waits for its handlers as well.
  async #stop<T>(key: string, consumer: QueueConsumer<T>, signal: AbortSignal): Promise<StopReport> {
    this.#parts.link.desiredState.forget(key)
    const report = await consumer.stop(signal)
    this.#consumers.delete(key)
    return report
  }
}
