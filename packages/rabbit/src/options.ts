import type { ConnectionOptions as TlsOptions } from 'node:tls'
import {
  type DialOptions,
  type Endpoint,
  type EndpointSource,
  type FullJitter,
  HaError,
  type Strategy,
} from '@ha/core'
import {
  balancing,
  checkEndpoint,
  checked,
  count,
  flag,
  group,
  milliseconds,
  type OptionReader,
  type OptionTable,
  oneOf,
  parseHostList,
  resolveOptions,
  type StrategyAlias,
  text,
} from '@ha/core/driver'
import { readAmqpUrl } from './amqp-url.ts'
import { type Codec, json } from './codec.ts'
import type { ConsumeSettings } from './consumer/consumer.ts'
import type { DeliveryHandler } from './consumer/delivery.ts'
import type { PublishBufferOptions } from './publisher/publish-buffer.ts'
import type { PublisherSettings } from './publisher/publisher.ts'
import type { Topology } from './topology/topology.ts'
import { validateTopology } from './topology/validate.ts'

/** How a connection is told to be alive. */
export interface LivenessOptions {
  /** The AMQP heartbeat asked of the broker, in milliseconds, whole seconds. Default 8 000. */
  readonly heartbeatMs: number
  /** Quiet for this long, the broker is asked for a sign of life. Default 750. */
  readonly probeAfterMs: number
  /** No sign within this time, over the connection and beside it, and the node is left. Default 1 000. */
  readonly probeTimeoutMs: number
  /** Messages unconfirmed for this long without one answer: another node is tried. Default 8 000. */
  readonly confirmStallMs: number
}

/** Everything `createRabbit` needs to know, resolved. */
export interface ResolvedOptions {
  readonly addresses: EndpointSource
  readonly username: string
  readonly password: string
  readonly vhost: string
  readonly tls: TlsOptions | undefined
  /** The name that the broker shows for the connections. */
  readonly name: string
  readonly strategy: Strategy
  readonly failBackAfterMs: number
  readonly dial: DialOptions
  readonly backoff: FullJitter
  readonly liveness: LivenessOptions
  readonly outbox: PublishBufferOptions
  /** How long one exchange, queue, binding or consumer may take, in milliseconds. */
  readonly declareTimeoutMs: number
  readonly topology: Topology
}

type DeepPartial<T> = { readonly [K in keyof T]?: Partial<T[K]> }

/** One address: `host`, `host:port`, `[IPv6]:port`, or an object. */
export type Address = string | { readonly host: string; readonly port?: number }

/** What `createRabbit` takes. Only `addresses` has no default. */
export interface RabbitOptions
  extends Partial<Pick<ResolvedOptions, 'username' | 'password' | 'vhost' | 'name' | 'topology'>>,
    Partial<Pick<ResolvedOptions, 'failBackAfterMs' | 'declareTimeoutMs'>>,
    DeepPartial<Pick<ResolvedOptions, 'dial' | 'backoff' | 'liveness' | 'outbox'>> {
  /** All nodes: `'n1:5672,n2:5672'`, a list, or a function that is asked again before each round of dials. */
  readonly addresses: string | readonly Address[] | (() => Promise<readonly Address[]>)
  /** The order in which the nodes are tried. Default `random`. The former words are accepted for one more version. */
  readonly strategy?: Strategy | StrategyAlias
  /** True, or options of `node:tls`. Default: no TLS. */
  readonly tls?: boolean | TlsOptions
}

/** What a URL has no words for; where both say something, this counts. */
export type BesideUrl = Omit<RabbitOptions, 'addresses'>

/** Options or URL, checked and completed. Throws one `config-invalid` that names everything that is wrong. */
export function resolveRabbitOptions(input: string | RabbitOptions, beside: BesideUrl = {}): ResolvedOptions {
  const given = typeof input === 'string' ? mergeWithUrl(readAmqpUrl(input), beside) : input
  const defaultPort = isTlsEnabled(given) ? 5671 : 5672
  return resolveOptions(optionTable(defaultPort), given, 'rabbit')
}

function mergeWithUrl(fromUrl: RabbitOptions, beside: BesideUrl): RabbitOptions {
  const liveness = { ...fromUrl.liveness, ...beside.liveness }
  // What is not set beside the URL, such as an empty environment variable, takes nothing away from it.
  const set = Object.fromEntries(Object.entries(beside).filter(([, value]) => value !== undefined))
  return { ...fromUrl, ...set, liveness }
}

// The one table of defaults. Each default stands here and in no other place of the code.
function optionTable(defaultPort: number): OptionTable<ResolvedOptions> {
  return {
    addresses: checked((value, path) => readAddresses(value, path, defaultPort), []),
    username: text('guest'),
    password: secret('guest'),
    vhost: text('/'),
    tls: checked(readTls, undefined),
    name: text('@ha/rabbit'),
    strategy: balancing(['random', 'sequential', 'round-robin'], 'random'),
    failBackAfterMs: milliseconds({ default: 60_000, min: 1_000, max: 86_400_000, orNever: true }),
    dial: group({
      attemptMs: milliseconds({ default: 3_000, min: 100, max: 60_000 }),
      staggerMs: milliseconds({ default: 100, min: 10, max: 10_000 }),
      parallel: count({ default: 2, min: 1, max: 8 }),
    }),
    backoff: group({
      baseMs: milliseconds({ default: 50, min: 1, max: 60_000 }),
      maxMs: milliseconds({ default: 5_000, min: 1, max: 600_000 }),
    }),
    liveness: group({
      heartbeatMs: checked(readHeartbeat, 8_000),
      probeAfterMs: milliseconds({ default: 750, min: 50, max: 60_000 }),
      probeTimeoutMs: milliseconds({ default: 1_000, min: 50, max: 60_000 }),
      confirmStallMs: milliseconds({ default: 8_000, min: 500, max: 600_000, orNever: true }),
    }),
    outbox: group({
      maxMessages: count({ default: 50_000, min: 1, max: 10_000_000 }),
      maxBytes: count({ default: 64 * 1024 * 1024, min: 1_024, max: 16 * 1024 ** 3 }),
      maxAgeMs: milliseconds({ default: 300_000, min: 100, max: 86_400_000 }),
      onFull: oneOf(['wait', 'reject', 'drop-oldest'], 'wait'),
      maxWaiting: count({ default: 1_000, min: 0, max: 1_000_000 }),
    }),
    declareTimeoutMs: milliseconds({ default: 5_000, min: 100, max: 600_000 }),
    topology: checked(validateTopology, {}),
  }
}

// Like text(), but what was given is never named.
function secret(fallback: string): OptionTable<ResolvedOptions>['password'] {
  return checked((value, path) => {
    if (value === undefined) return fallback
    if (typeof value === 'string') return value
    throw invalidOption(path, `expected text, got a ${typeof value}`)
  }, fallback)
}

function readAddresses(value: unknown, path: string, defaultPort: number): EndpointSource {
  if (typeof value === 'function') {
    return async () => readList(await value(), `${path}()`, defaultPort)
  }
  if (typeof value === 'string') return parseHostList(value, { defaultPort, where: path })
  const endpoints = readList(value, path, defaultPort)
  if (endpoints.length === 0) throw invalidOption(path, 'expected at least one address')
  return endpoints
}

function readList(value: unknown, path: string, defaultPort: number): readonly Endpoint[] {
  if (!Array.isArray(value)) {
    throw invalidOption(
      path,
      "expected 'host:port,host:port', a list of addresses, or a function that returns one",
    )
  }
  return value.map((address, i) => checkEndpoint(address, `${path}[${i}]`, defaultPort))
}

function readTls(value: unknown, path: string): TlsOptions | undefined {
  if (value === undefined || value === false) return undefined
  if (value === true) return {}
  if (typeof value === 'object' && value !== null) return value
  throw invalidOption(path, `expected true, false or the options of node:tls, got a ${typeof value}`)
}

// AMQP counts heartbeats in whole seconds. Below two, one slow turn of either side's loop ends the connection.
function readHeartbeat(value: unknown, path: string): number {
  if (value === undefined) return 8_000
  if (typeof value === 'number' && value >= 2_000 && value <= 600_000 && value % 1_000 === 0) return value
  throw invalidOption(path, 'expected whole seconds in milliseconds, from 2000 to 600000')
}

function isTlsEnabled(given: unknown): boolean {
  const { tls } = (given ?? {}) as { tls?: unknown }
  return tls !== undefined && tls !== false
}

function invalidOption(path: string, problem: string): HaError {
  return new HaError('config-invalid', `${path}: ${problem}`)
}

/** How a publisher differs from the others. */
export interface PublisherOptions<T> {
  /** Where messages go unless `publish` says otherwise. Default: the default exchange, which routes to queues by name. */
  readonly exchange?: string
  /** The routing key unless `publish` says otherwise. Default: empty. */
  readonly key?: string
  /** How a body becomes bytes. Default: JSON. */
  readonly codec?: Codec<T>
  /** How many messages may be unconfirmed at once. Default 512. */
  readonly maxInFlight?: number
}

/** How a consumer differs from the others. */
export interface ConsumeOptions<T> {
  /** How many messages may be with handlers at once, from 1 to 65 535; a quorum queue takes 2 000. Default 32. */
  readonly prefetch?: number
  /** What becomes of a message whose handler throws. Default `requeue`, after a pause. */
  readonly onError?: 'requeue' | 'reject'
  /** How long a message whose handler threw is held back before it is requeued, in milliseconds. Default 1 000. */
  readonly requeueDelayMs?: number
  /** Whether nobody else may consume the queue. Default false. */
  readonly exclusive?: boolean
  /** How bytes become a body. Default: JSON. */
  readonly codec?: Codec<T>
  /** Arguments that RabbitMQ understands, such as `x-priority`. */
  readonly arguments?: Readonly<Record<string, unknown>>
}

/** A publisher's options, checked and completed. */
export function resolvePublisherOptions<T>(options: PublisherOptions<T>): PublisherSettings<T> {
  const table = {
    exchange: amqpName(),
    key: amqpName(),
    codec: codecOption<T>(),
    // More does not help a broker, and the driver's own book-keeping slows down with thousands.
    maxInFlight: count({ default: 512, min: 1, max: 4_096 }),
  }
  return resolveOptions<PublisherSettings<T>>(table, options, 'publisher')
}

/** A consumer's options, checked and completed. */
export function resolveConsumeOptions<T>(
  queue: string,
  handler: DeliveryHandler<T>,
  options: ConsumeOptions<T>,
): ConsumeSettings<T> {
  if (typeof queue !== 'string' || queue === '') {
    throw new HaError('config-invalid', 'consume: expected the name of a queue')
  }
  if (typeof handler !== 'function')
    throw new HaError('config-invalid', `consume '${queue}': expected a handler`)
  const table = {
    prefetch: count({ default: 32, min: 1, max: 65_535 }),
    onError: oneOf(['requeue', 'reject'], 'requeue'),
    requeueDelayMs: milliseconds({ default: 1_000, min: 0, max: 600_000 }),
    exclusive: flag(false),
    codec: codecOption<T>(),
    arguments: checked(readConsumeArguments, {}),
  }
  const settings = resolveOptions<Omit<ConsumeSettings<T>, 'queue' | 'handler'>>(
    table,
    options,
    `consume '${queue}'`,
  )
  return { ...settings, queue, handler }
}

// The empty name is a name in AMQP: the default exchange, the empty routing key.
function amqpName(): OptionReader<string> {
  return checked((value, path) => {
    if (value === undefined) return ''
    if (typeof value === 'string' && Buffer.byteLength(value) <= 255) return value
    throw new HaError('config-invalid', `${path}: expected text of at most 255 bytes`)
  }, '')
}

function codecOption<T>(): OptionReader<Codec<T>> {
  return checked((value, path) => {
    if (value === undefined) return json<T>()
    const given = value as Partial<Codec<T>>
    if (typeof given.encode === 'function' && typeof given.decode === 'function') return value as Codec<T>
    throw new HaError('config-invalid', `${path}: expected json(), text(), bytes() or a codec of your own`)
  }, json<T>())
}

function readConsumeArguments(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (value === undefined) return {}
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new HaError('config-invalid', `${path}: expected an object`)
}
