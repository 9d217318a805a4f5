import { randomUUID } from 'node:crypto'
import { Budget, type Clock, type Driver, type Events, fullJitter, type Runner, systemClock } from '@ha/core'
import { Emitter, leaseOf } from '@ha/core/driver'
import type { AmqpConnection } from './amqp/connection.ts'
import { amqpDriver } from './amqp/driver.ts'
import type { Channel, ChannelModel } from './amqp/types.ts'
import { Consuming } from './consume/consuming.ts'
import type { DeliveryHandler } from './consume/delivery.ts'
import type { Consumer } from './consume/handle.ts'
import { type DrainReport, Ending } from './ending.ts'
import type { RabbitEvents, RabbitFailover, Role } from './events.ts'
import { type RabbitHealth, worstState } from './health.ts'
import { type Links, makeLinks } from './links.ts'
import {
  type ConsumeOptions,
  type PublisherOptions,
  resolveConsume,
  resolvePublisher,
} from './member-options.ts'
import { type BesideUrl, type RabbitOptions, type ResolvedOptions, resolveRabbitOptions } from './options.ts'
import { runOnOwnChannel } from './own-channel.ts'
import type { Publisher } from './publish/publisher.ts'
import { Publishing } from './publish/publishing.ts'
import { whenReady } from './ready.ts'
import { tellLink } from './telling.ts'

/** A limit for one wait. */
export interface WaitLimit {
  /** In milliseconds. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** What the world gives to a client; a test gives other things. */
export interface RabbitParts {
  readonly clock: Clock
  readonly random: () => number
  readonly driver: (options: ResolvedOptions) => Driver<AmqpConnection>
}

/**
 * A client of a RabbitMQ cluster. Returns at once; the first publisher, consumer or declaration begins to dial.
 * Beside a URL, `more` takes what it has no words for, such as the topology. Throws `config-invalid` when an option
 * cannot be used.
 */
export function createRabbit(options: RabbitOptions): Rabbit
export function createRabbit(url: string, more?: BesideUrl): Rabbit
export function createRabbit(options: string | RabbitOptions, more?: BesideUrl): Rabbit {
  return new Rabbit(resolveRabbitOptions(options, more), {
    clock: systemClock,
    random: Math.random,
    driver: driverOf,
  })
}

function driverOf({
  username,
  password,
  vhost,
  tls,
  name,
  liveness,
}: ResolvedOptions): Driver<AmqpConnection> {
  const heartbeatSec = liveness.heartbeatMs / 1_000
  return amqpDriver({ username, password, vhost, tls, heartbeatSec, connectionName: name })
}

// How long a planned move waits for the confirms of what was sent on the old connection.
const mostBeforeMoveMs = 2_000

/** One client of a cluster: a connection for publishing and one for consuming, each kept alive on its own. */
export class Rabbit implements AsyncDisposable {
  readonly #options: ResolvedOptions
  readonly #parts: RabbitParts
  readonly #driver: Driver<AmqpConnection>
  readonly #events = new Emitter<RabbitEvents>()
  readonly #runner: Runner<AmqpConnection>
  readonly #links: Links
  readonly #consuming: Consuming
  readonly #publishing: Publishing
  readonly #ending: Ending
  #lastFailover: RabbitFailover | undefined

  constructor(options: ResolvedOptions, parts: RabbitParts) {
    const { clock, random } = parts
    this.#options = options
    this.#parts = parts
    this.#driver = parts.driver(options)
    this.#links = makeLinks(options, {
      clock,
      random,
      driver: this.#driver,
      addresses: options.addresses,
      // A planned move costs nobody a duplicate when the old connection first confirms what was sent on it.
      beforeMove: async (role) => {
        if (role === 'publish') await this.#publishing.finishBeforeMove(mostBeforeMoveMs)
      },
    })
    this.#consuming = new Consuming({ clock, options, link: this.#links.consume, events: this.#events })
    this.#publishing = new Publishing({
      clock,
      options,
      link: this.#links.publish,
      routes: this.#consuming,
      idPrefix: randomUUID().slice(0, 18),
      onStalled: (unconfirmed, forMs) => this.#events.emit('stalled', { unconfirmed, forMs }),
    })
    this.#ending = new Ending(clock, this.#links, this.#publishing, this.#consuming)
    this.#runner = {
      source: this.#links.consume,
      driver: this.#driver,
      clock,
      random,
      budget: new Budget(),
      backoff: fullJitter(options.backoff),
    }
    this.#tell('publish', () => this.#publishing.replayed)
    this.#tell('consume', () => 0)
    this.#events.on('failover', (failover) => {
      this.#lastFailover = failover
    })
    this.#consuming.start()
  }

  /** What happens: `failover`, `blocked`, `stalled`, `consumerLost`, `topologyConflict` and others. */
  get events(): Events<RabbitEvents> {
    return this.#events
  }

  /**
   * Resolves when every connection in use is up and everything declared so far is in place. Rejects with `refused`,
   * `topology-conflict`, with `closed` when the client ends or, by default after 30 s, with `timed-out` and the
   * reason. The client goes on trying either way.
   */
  ready({ timeoutMs = 30_000, signal }: WaitLimit = {}): Promise<void> {
    const { begun } = this.#ending
    return whenReady(this.#parts.clock, this.#links, { timeoutMs, signal, begun })
  }

  /** A publisher with a confirm channel of its own. Without an exchange of its own it publishes to the default one. */
  publisher<T = unknown>(options: PublisherOptions<T> = {}): Publisher<T> {
    this.#ending.checkOpen()
    return this.#publishing.publisher(resolvePublisher(options))
  }

  /** Consumes a queue from now on, on every connection. */
  consume<T = unknown>(
    queue: string,
    handler: DeliveryHandler<T>,
    options: ConsumeOptions<T> = {},
  ): Consumer {
    this.#ending.checkOpen()
    return this.#consuming.consume(resolveConsume(queue, handler, options))
  }

  /**
   * Runs `work` on a channel of its own, for what this package has no word for. Settles by `timeoutMs` (default
   * 10 000), and the channel ends with it. Tried again only where nothing was done, or, with `repeatable: true`, where
   * that is not known. What `work` itself throws while its channel stands is thrown as it is.
   */
  withChannel<T>(
    work: (channel: Channel) => Promise<T>,
    { timeoutMs = 10_000, signal, repeatable = false }: WaitLimit & { readonly repeatable?: boolean } = {},
  ): Promise<T> {
    return runOnOwnChannel(this.#runner, { name: 'withChannel', timeoutMs, signal, repeatable }, work)
  }

  /** What a queue of the topology is called on the broker now: of an `ephemeral()` one, the server's name for it. */
  nameOf(queue: string): string {
    return this.#consuming.nameOf(queue)
  }

  /** What the client believes and does, as plain data. */
  health(): RabbitHealth {
    const publish = this.#links.publish.health()
    const consume = this.#links.consume.health()
    const { space, unconfirmed } = this.#publishing
    const { error: _, ...lastFailover } = this.#lastFailover ?? { error: undefined }
    return {
      state: worstState(publish.state, consume.state),
      publish,
      consume,
      outbox: { messages: space.messages, bytes: space.bytes, unconfirmed, waiting: space.waiting },
      consumers: this.#consuming.consumers,
      lastFailover: 'role' in lastFailover ? lastFailover : undefined,
    }
  }

  /** The driver's own connections, for what only it can do. Gone with the next failover. */
  unwrap(): Readonly<Partial<Record<Role, ChannelModel>>> {
    const publish = leaseOf(this.#links.publish.state)?.connection.model
    const consume = leaseOf(this.#links.consume.state)?.connection.model
    return { ...(publish && { publish }), ...(consume && { consume }) }
  }

  /**
   * Stops consuming and publishing and waits for what is under way, up to `timeoutMs` (default 10 000). Never
   * rejects; the promises of what was left say what is known. Called again, also by `close`, it can only become
   * shorter.
   */
  drain({ timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {}): Promise<DrainReport> {
    return this.#ending.drain(timeoutMs)
  }

  /** Drains and ends the connections, all within `timeoutMs` (default 5 000). Never rejects; idempotent. */
  close({ timeoutMs = 5_000 }: { readonly timeoutMs?: number } = {}): Promise<DrainReport> {
    return this.#ending.close(timeoutMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #tell(role: Role, replayed: () => number): void {
    const { declareTimeoutMs } = this.#options
    tellLink({
      role,
      link: this.#links[role],
      clock: this.#parts.clock,
      events: this.#events,
      replayed,
      declareTimeoutMs,
    })
  }
}
