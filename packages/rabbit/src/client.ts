import { randomUUID } from 'node:crypto'
import {
  Budget,
  type Clock,
  type Driver,
  type Events,
  fullJitter,
  HaError,
  type LinkHealth,
  type Operation,
  type Runner,
  run,
  systemClock,
} from '@ha/core'
import {
  Emitter,
  invalidOption,
  type Lifecycle,
  leaseOf,
  OptionCalls,
  raceAbort,
  requireFactory,
  withDeadline,
} from '@ha/core/driver'
import { emitLinkEvents, type RabbitEvents, type RabbitFailover, type Role } from './client-events.ts'
import { type Consumer, type ConsumerHealth, Consumers } from './consumer/consumers.ts'
import type { DeliveryHandler } from './consumer/delivery.ts'
import { openChannel } from './driver/channel.ts'
import type { AmqpConnection } from './driver/connection.ts'
import { amqpDriver } from './driver/driver.ts'
import type { Channel, ChannelModel } from './driver/types.ts'
import { createLinks, type Links, waitUntilReady } from './links.ts'
import {
  type ConsumeOptions,
  checkLimit,
  type PublisherOptions,
  type RabbitOptions,
  type RabbitUrlOverrides,
  type ResolvedOptions,
  type RespondOptions,
  resolveConsumeOptions,
  resolvePublisherOptions,
  resolveRabbitOptions,
  resolveRespondOptions,
  waitOptions,
} from './options.ts'
import type { Publisher } from './publisher/publisher.ts'
import { Publishers } from './publisher/publishers.ts'
import type { Reply, RequestOptions, RequestTarget } from './rpc/request-message.ts'
import { Requests, type RequestsHealth } from './rpc/requests.ts'
import { Responder, type RespondHandler } from './rpc/responder.ts'
import { createLifecycle, type DrainReport } from './shutdown.ts'
import { DeclaredTopology } from './topology/declare.ts'

/** A limit for one wait. */
export interface WaitLimit {
  /** In milliseconds. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** Injectable dependencies; replaced in tests. */
interface RabbitDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly driver: (options: ResolvedOptions) => Driver<AmqpConnection>
}

/**
 * Creates a client of a RabbitMQ cluster. Returns at once; the first publisher, consumer or declaration starts to
 * connect. `more` takes the options that a URL cannot express, such as the topology. Throws `config-invalid` for an
 * invalid option.
 */
export function createRabbit(options: RabbitOptions): Rabbit
export function createRabbit(url: string, more?: RabbitUrlOverrides): Rabbit
export function createRabbit(options: string | RabbitOptions, more?: RabbitUrlOverrides): Rabbit {
  return new Rabbit(resolveRabbitOptions(options, more), {
    clock: systemClock,
    random: Math.random,
    driver: createDriver,
  })
}

function createDriver({
  username,
  password,
  credentials,
  vhost,
  tls,
  mechanism,
  name,
  liveness,
}: ResolvedOptions): Driver<AmqpConnection> {
  const heartbeatSec = liveness.heartbeatMs / 1_000
  const login = { username, password, vhost, tls, mechanism, ...(credentials && { credentials }) }
  return amqpDriver({ ...login, heartbeatSec, connectionName: name })
}

// How long a planned move waits for the confirms of messages that were sent on the old connection.
const maxDrainBeforeMoveMs = 2_000

/** A client of a cluster: one connection for publishing and one for consuming, each with its own failover. */
export class Rabbit implements AsyncDisposable {
  readonly #options: ResolvedOptions
  readonly #deps: RabbitDeps
  readonly #driver: Driver<AmqpConnection>
  readonly #events = new Emitter<RabbitEvents>()
  readonly #runner: Runner<AmqpConnection>
  readonly #links: Links
  readonly #topology: DeclaredTopology
  readonly #consumers: Consumers
  readonly #publishers: Publishers
  readonly #requests: Requests
  readonly #responder: Responder
  readonly #lifecycle: Lifecycle<DrainReport>
  #lastFailover: RabbitFailover | undefined

  constructor(options: ResolvedOptions, deps: RabbitDeps) {
    requireFactory(deps, 'createRabbit')
    const { clock, random } = deps
    this.#options = options
    this.#deps = deps
    this.#driver = deps.driver(options)
    this.#links = createLinks(options, {
      clock,
      random,
      driver: this.#driver,
      addresses: options.addresses,
      // A planned move causes no duplicates when the old connection first confirms what was sent on it.
      beforeMove: async (role) => {
        if (role === 'publish') await this.#publishers.drainBeforeMove(maxDrainBeforeMoveMs)
      },
    })
    const { consume: link } = this.#links
    const { topology, declareTimeoutMs: timeoutMs } = options
    this.#topology = new DeclaredTopology({ clock, topology, link, timeoutMs })
    const consumersDeps = {
      clock,
      random,
      options,
      links: this.#links,
      topology: this.#topology,
      events: this.#events,
    }
    this.#consumers = new Consumers(consumersDeps)
    this.#publishers = new Publishers({
      clock,
      options,
      link: this.#links.publish,
      topology: this.#topology,
      idPrefix: randomUUID().slice(0, 18),
      onStalled: (unconfirmed, forMs) => this.#events.emit('stalled', { unconfirmed, forMs }),
      onRejected: ({ exchange, key, messageId }, error) =>
        this.#events.emit('publishRejected', { exchange, key, messageId, error }),
      onRefused: ({ exchange, key }, error) => this.#events.emit('routeRefused', { exchange, key, error }),
    })
    this.#requests = new Requests({
      clock,
      options,
      links: this.#links,
      topology: this.#topology,
      publishers: this.#publishers,
      consumers: new Consumers(consumersDeps),
    })
    this.#events.on('consumerLost', ({ queue }) => this.#requests.onConsumerLost(queue))
    this.#responder = new Responder({
      consumers: this.#consumers,
      publishers: this.#publishers,
      events: this.#events,
    })
    this.#lifecycle = createLifecycle({
      clock,
      links: this.#links,
      publishers: this.#publishers,
      consumers: this.#consumers,
      requests: this.#requests,
    })
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
    this.#topology.start()
  }

  /** Events of the client: `failover`, `blocked`, `stalled`, `consumerLost`, `topologyConflict` and others. */
  get events(): Events<RabbitEvents> {
    return this.#events
  }

  /**
   * Resolves when every connection in use is ready and everything declared so far exists. Rejects with `refused`,
   * `topology-conflict`, with `closed` when the client ends or, by default after 30 s, with `timed-out` and the
   * reason. The client continues to connect either way.
   */
  async ready(limit: WaitLimit = {}): Promise<void> {
    checkLimit('ready', limit, waitOptions)
    const { timeoutMs = 30_000, signal } = limit
    const { closing } = this.#lifecycle
    return waitUntilReady(this.#deps.clock, this.#links, { timeoutMs, signal, closing })
  }

  /** Creates a publisher with its own confirm channel. Without `exchange` it publishes to the default exchange. */
  publisher<T = unknown>(options: PublisherOptions<T> = {}): Publisher<T> {
    this.#lifecycle.checkOpen()
    return this.#publishers.createPublisher(resolvePublisherOptions(options))
  }

  /** Consumes a queue until the consumer is stopped; subscribes again after each failover. */
  consume<T = unknown>(
    queue: string,
    handler: DeliveryHandler<T>,
    options: ConsumeOptions<T> = {},
  ): Consumer {
    this.#lifecycle.checkOpen()
    return this.#consumers.consume(resolveConsumeOptions(queue, handler, options))
  }

  /**
   * Sends a request and resolves with the reply of a responder: one of `respond()`, or any that answers to `replyTo` with
   * the `correlationId`. Rejects by `timeoutMs` (default 30 000): as a publish does when the broker does not have the
   * request; with `timed-out` and the outcome `unknown` when it has it and no reply came; with `request-failed` when the
   * handler threw; or with `decode-failed`, `buffer-full`, `aborted`, `closed`. Replies survive a failover.
   */
  request<A = unknown, Q = unknown>(
    target: RequestTarget,
    body: Q,
    options: RequestOptions<Q, A> = {},
  ): Promise<Reply<A>> {
    return this.#requests.request(target, body, options)
  }

  /**
   * Consumes requests until the consumer is stopped: what the handler returns is published to `replyTo` of the request,
   * and confirmed, before the request is acknowledged. A request without `replyTo` is handled and gets no reply.
   */
  respond<Q = unknown, A = unknown>(
    queue: string,
    handler: RespondHandler<Q, A>,
    options: RespondOptions<Q, A> = {},
  ): Consumer {
    this.#lifecycle.checkOpen()
    return this.#responder.respond(resolveRespondOptions(queue, handler, options))
  }

  /**
   * Runs `work` on a channel of its own, for features that this package does not have. Settles within `timeoutMs`
   * (default 10 000), and then closes the channel. Repeats `work` only when it had no effect, or, with
   * `repeatable: true`, when that is unknown. An error of `work` while its channel is open is thrown unchanged.
   */
  async withChannel<T>(
    work: (channel: Channel) => Promise<T>,
    limit: WaitLimit & { readonly repeatable?: boolean } = {},
  ): Promise<T> {
    if (typeof work !== 'function')
      throw invalidOption('withChannel', 'expected a function that takes a channel')
    checkLimit('withChannel', limit)
    const { timeoutMs = 10_000, signal, repeatable = false } = limit
    return runWithChannel(this.#runner, { name: 'withChannel', timeoutMs, signal, repeatable }, work)
  }

  /**
   * Asks the function of `password` or `credentials` again and gives what it returns to the open connections, before a token
   * expires (`connection.update-secret`, for RabbitMQ with OAuth 2.0). New connections ask the function by themselves.
   * Settles within `timeoutMs` (default 10 000); rejects with `config-invalid` with `mechanism: 'EXTERNAL'`.
   */
  async updateSecret(limit: WaitLimit = {}): Promise<void> {
    checkLimit('updateSecret', limit, waitOptions)
    const { timeoutMs = 10_000, signal } = limit
    const source = secretOf(this.#options)
    const expired = (): HaError =>
      new HaError('timed-out', `updateSecret: no answer within ${timeoutMs} ms`, { outcome: 'unknown' })
    await withDeadline(this.#deps.clock, { timeoutMs, signal, expired }, async (inner) => {
      const secret = await new OptionCalls(this.#deps.clock).read('password', source, inner)
      const updates = Object.values(this.unwrap()).map((model) =>
        model.updateSecret(Buffer.from(secret), 'rotated'),
      )
      await raceAbort(Promise.all(updates), inner, () => undefined)
    })
  }

  /** The current name of a queue on the broker. The server chooses the name of an `ephemeral()` queue. */
  nameOf(queue: string): string {
    if (typeof queue !== 'string') throw invalidOption('nameOf', 'expected the name of a queue')
    return this.#topology.queueName(queue)
  }

  /** The state of the client, as plain data. */
  health(): RabbitHealth {
    const publish = this.#links.publish.health()
    const consume = this.#links.consume.health()
    const { buffer, unconfirmed } = this.#publishers
    const { error: _, ...lastFailover } = this.#lastFailover ?? { error: undefined }
    return {
      state: worstState(publish.state, consume.state),
      publish,
      consume,
      outbox: { messages: buffer.messages, bytes: buffer.bytes, unconfirmed, waiting: buffer.waiting },
      consumers: this.#consumers.health,
      requests: this.#requests.health,
      lastFailover: 'role' in lastFailover ? lastFailover : undefined,
    }
  }

  /** The connections of the driver, for what only it can do. Valid until the next failover. */
  unwrap(): Readonly<Partial<Record<Role, ChannelModel>>> {
    const publish = leaseOf(this.#links.publish.state)?.connection.model
    const consume = leaseOf(this.#links.consume.state)?.connection.model
    return { ...(publish && { publish }), ...(consume && { consume }) }
  }

  /**
   * Stops consuming and publishing, and waits for running handlers, replies and unconfirmed messages, up to `timeoutMs` (default
   * 10 000). Rejects only for an invalid option; the promises of the remaining messages reject with their outcome. A later call, also of
   * `close`, can only shorten the time.
   */
  drain(limit: { readonly timeoutMs?: number } = {}): Promise<DrainReport> {
    return within('drain', limit, ({ timeoutMs = 10_000 }) => this.#lifecycle.drain(timeoutMs))
  }

  /** Drains and closes the connections, all within `timeoutMs` (default 5 000). Rejects only for an invalid option; idempotent. */
  close(limit: { readonly timeoutMs?: number } = {}): Promise<DrainReport> {
    return within('close', limit, ({ timeoutMs = 5_000 }) => this.#lifecycle.close(timeoutMs))
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

function secretOf({ password, credentials, mechanism }: ResolvedOptions): () => Promise<string> {
  if (mechanism === 'EXTERNAL')
    throw invalidOption(
      'updateSecret',
      'with EXTERNAL the login is the client certificate, which has no secret',
    )
  return credentials === undefined ? password : async () => (await credentials()).password
}

// Rejects for an invalid limit. The promise is that of the end itself: all callers get the same one.
function within(
  call: string,
  limit: { readonly timeoutMs?: number },
  end: (limit: { readonly timeoutMs?: number }) => Promise<DrainReport>,
): Promise<DrainReport> {
  try {
    checkLimit(call, limit, ['timeoutMs'])
    return end(limit)
  } catch (error) {
    return Promise.reject(error)
  }
}

/**
 * Runs `work` on a channel of its own, which is closed after the work, at the latest at the end of the operation. An error
 * of the work while its channel is open is an error of the application: it is neither classified nor retried.
 */
async function runWithChannel<T>(
  runner: Runner<AmqpConnection>,
  operation: Operation,
  work: (channel: Channel) => Promise<T>,
): Promise<T> {
  const result = await run(runner, operation, (connection, until) => runWork(connection, until(), work))
  if (result.kind === 'threw') throw result.thrown
  return result.value
}

type WorkResult<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'threw'; readonly thrown: unknown }

async function runWork<T>(
  connection: AmqpConnection,
  signal: AbortSignal,
  work: (channel: Channel) => Promise<T>,
): Promise<WorkResult<T>> {
  const { channel, closed, discard } = await openChannel(connection, signal)
  // Work that continues after its deadline must not keep the channel.
  signal.addEventListener('abort', discard, { once: true })
  try {
    return { kind: 'done', value: await work(channel) }
  } catch (thrown) {
    if (closed.aborted) throw thrown
    return { kind: 'threw', thrown }
  } finally {
    signal.removeEventListener('abort', discard)
    discard()
  }
}

/** The state of a client, as plain data without secrets. */
export interface RabbitHealth {
  /** `ready` when every connection in use is ready; otherwise the worst state of them. */
  readonly state: LinkHealth['state']
  readonly publish: LinkHealth
  readonly consume: LinkHealth
  readonly outbox: PublishBufferHealth
  readonly consumers: readonly ConsumerHealth[]
  readonly requests: RequestsHealth
  readonly lastFailover: Omit<RabbitFailover, 'error'> | undefined
}

export interface PublishBufferHealth {
  /** Number of messages that are accepted and not settled. */
  readonly messages: number
  readonly bytes: number
  /** Number of messages that were sent and not confirmed. */
  readonly unconfirmed: number
  /** Number of publishes that wait for space. */
  readonly waiting: number
}

const statesFromBestToWorst: readonly LinkHealth['state'][] = [
  'ready',
  'suspended',
  'restoring',
  'dialing',
  'waiting',
  'closed',
]

/** The worse of two states. An unused connection (`idle`) does not count. */
function worstState(a: LinkHealth['state'], b: LinkHealth['state']): LinkHealth['state'] {
  return statesFromBestToWorst.indexOf(a) > statesFromBestToWorst.indexOf(b) ? a : b
}
