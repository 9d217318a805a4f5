import { randomUUID } from 'node:crypto'
import {
  Budget,
  type Clock,
  type Driver,
  type Events,
  fullJitter,
  type LinkHealth,
  type Operation,
  type Runner,
  run,
  systemClock,
} from '@ha/core'
import { Emitter, leaseOf } from '@ha/core/driver'
import { emitLinkEvents, type RabbitEvents, type RabbitFailover, type Role } from './client-events.ts'
import { type Consumer, type ConsumerHealth, Consumers } from './consumer/consumers.ts'
import type { DeliveryHandler } from './consumer/delivery.ts'
import { openChannel } from './driver/channel.ts'
import type { AmqpConnection } from './driver/connection.ts'
import { amqpDriver } from './driver/driver.ts'
import type { Channel, ChannelModel } from './driver/types.ts'
import { createLinks, type Links, waitUntilReady } from './links.ts'
import {
  type BesideUrl,
  type ConsumeOptions,
  type PublisherOptions,
  type RabbitOptions,
  type ResolvedOptions,
  resolveConsumeOptions,
  resolvePublisherOptions,
  resolveRabbitOptions,
} from './options.ts'
import type { Publisher } from './publisher/publisher.ts'
import { Publishers } from './publisher/publishers.ts'
import { type DrainReport, Shutdown } from './shutdown.ts'

/** A limit for one wait. */
export interface WaitLimit {
  /** In milliseconds. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** What the world gives to a client; a test gives other things. */
interface RabbitDeps {
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
    driver: createDriver,
  })
}

function createDriver({
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
const maxDrainBeforeMoveMs = 2_000

/** One client of a cluster: a connection for publishing and one for consuming, each kept alive on its own. */
export class Rabbit implements AsyncDisposable {
  readonly #options: ResolvedOptions
  readonly #deps: RabbitDeps
  readonly #driver: Driver<AmqpConnection>
  readonly #events = new Emitter<RabbitEvents>()
  readonly #runner: Runner<AmqpConnection>
  readonly #links: Links
  readonly #consumers: Consumers
  readonly #publishers: Publishers
  readonly #shutdown: Shutdown
  #lastFailover: RabbitFailover | undefined

  constructor(options: ResolvedOptions, parts: RabbitDeps) {
    const { clock, random } = parts
    this.#options = options
    this.#deps = parts
    this.#driver = parts.driver(options)
    this.#links = createLinks(options, {
      clock,
      random,
      driver: this.#driver,
      addresses: options.addresses,
      // A planned move costs nobody a duplicate when the old connection first confirms what was sent on it.
      beforeMove: async (role) => {
        if (role === 'publish') await this.#publishers.drainBeforeMove(maxDrainBeforeMoveMs)
      },
    })
    this.#consumers = new Consumers({ clock, options, link: this.#links.consume, events: this.#events })
    this.#publishers = new Publishers({
      clock,
      options,
      link: this.#links.publish,
      routes: this.#consumers,
      idPrefix: randomUUID().slice(0, 18),
      onStalled: (unconfirmed, forMs) => this.#events.emit('stalled', { unconfirmed, forMs }),
    })
    this.#shutdown = new Shutdown(clock, this.#links, this.#publishers, this.#consumers)
    this.#runner = {
      source: this.#links.consume,
      driver: this.#driver,
      clock,
      random,
      budget: new Budget(),
      backoff: fullJitter(options.backoff),
    }
    this.#emitLinkEvents('publish', () => this.#publishers.replayed)
    this.#emitLinkEvents('consume', () => 0)
    this.#events.on('failover', (failover) => {
      this.#lastFailover = failover
    })
    this.#consumers.start()
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
    const { started: begun } = this.#shutdown
    return waitUntilReady(this.#deps.clock, this.#links, { timeoutMs, signal, closing: begun })
  }

  /** A publisher with a confirm channel of its own. Without an exchange of its own it publishes to the default one. */
  publisher<T = unknown>(options: PublisherOptions<T> = {}): Publisher<T> {
    this.#shutdown.checkOpen()
    return this.#publishers.publisher(resolvePublisherOptions(options))
  }

  /** Consumes a queue from now on, on every connection. */
  consume<T = unknown>(
    queue: string,
    handler: DeliveryHandler<T>,
    options: ConsumeOptions<T> = {},
  ): Consumer {
    this.#shutdown.checkOpen()
    return this.#consumers.consume(resolveConsumeOptions(queue, handler, options))
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
    return runWithChannel(this.#runner, { name: 'withChannel', timeoutMs, signal, repeatable }, work)
  }

  /** What a queue of the topology is called on the broker now: of an `ephemeral()` one, the server's name for it. */
  nameOf(queue: string): string {
    return this.#consumers.nameOf(queue)
  }

  /** What the client believes and does, as plain data. */
  health(): RabbitHealth {
    const publish = this.#links.publish.health()
    const consume = this.#links.consume.health()
    const { buffer: space, unconfirmed } = this.#publishers
    const { error: _, ...lastFailover } = this.#lastFailover ?? { error: undefined }
    return {
      state: worstState(publish.state, consume.state),
      publish,
      consume,
      outbox: { messages: space.messages, bytes: space.bytes, unconfirmed, waiting: space.waiting },
      consumers: this.#consumers.consumers,
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
    return this.#shutdown.drain(timeoutMs)
  }

  /** Drains and ends the connections, all within `timeoutMs` (default 5 000). Never rejects; idempotent. */
  close({ timeoutMs = 5_000 }: { readonly timeoutMs?: number } = {}): Promise<DrainReport> {
    return this.#shutdown.close(timeoutMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #emitLinkEvents(role: Role, replayed: () => number): void {
    const { declareTimeoutMs } = this.#options
    emitLinkEvents({
      role,
      link: this.#links[role],
      clock: this.#deps.clock,
      events: this.#events,
      replayed,
      declareTimeoutMs,
    })
  }
}

/**
 * Runs `work` on a channel of its own, which ends with the work, and at the latest with the operation. What the work
 * throws while its channel stands is its own affair: neither judged nor tried again, and thrown as it is.
 */
async function runWithChannel<T>(
  runner: Runner<AmqpConnection>,
  operation: Operation,
  work: (channel: Channel) => Promise<T>,
): Promise<T> {
  const worked = await run(runner, operation, (connection, until) => runWork(connection, until(), work))
  if (worked.kind === 'threw') throw worked.thrown
  return worked.value
}

type WorkResult<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'threw'; readonly thrown: unknown }

async function runWork<T>(
  connection: AmqpConnection,
  signal: AbortSignal,
  work: (channel: Channel) => Promise<T>,
): Promise<WorkResult<T>> {
  const { channel, closed: over, discard } = await openChannel(connection, signal)
  // Work that goes on behind its deadline must not keep the channel.
  signal.addEventListener('abort', discard, { once: true })
  try {
    return { kind: 'done', value: await work(channel) }
  } catch (thrown) {
    if (over.aborted) throw thrown
    return { kind: 'threw', thrown }
  } finally {
    signal.removeEventListener('abort', discard)
    discard()
  }
}

/** What a client believes and does, as plain data without any secret. */
export interface RabbitHealth {
  /** `ready` when every connection in use is; else what the worst of them does. */
  readonly state: LinkHealth['state']
  readonly publish: LinkHealth
  readonly consume: LinkHealth
  readonly outbox: PublishBufferHealth
  readonly consumers: readonly ConsumerHealth[]
  readonly lastFailover: Omit<RabbitFailover, 'error'> | undefined
}

export interface PublishBufferHealth {
  /** Accepted and not settled. */
  readonly messages: number
  readonly bytes: number
  /** Sent and not confirmed. */
  readonly unconfirmed: number
  /** Publishes that wait for room. */
  readonly waiting: number
}

// From what is best to what is worst for those who wait.
const statesFromBestToWorst: readonly LinkHealth['state'][] = [
  'ready',
  'suspended',
  'restoring',
  'dialing',
  'waiting',
  'closed',
]

/** The worse of two connections; one that was never used does not count. */
function worstState(a: LinkHealth['state'], b: LinkHealth['state']): LinkHealth['state'] {
  return statesFromBestToWorst.indexOf(a) > statesFromBestToWorst.indexOf(b) ? a : b
}
