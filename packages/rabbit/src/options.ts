import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { DialOptions, EndpointSource, FullJitter, Strategy } from '@ha/core'
import {
  addresses,
  backoff,
  balancing,
  type CallOptionCheck,
  callOptions,
  checked,
  count,
  credentials,
  didYouMean,
  flag,
  group,
  invalidOption,
  milliseconds,
  type OptionReader,
  type OptionTable,
  oneOf,
  optional,
  optionChecks,
  readGiven,
  resolveOptions,
  type StrategyAlias,
  text,
  tlsSource,
} from '@ha/core/driver'
import { readAmqpUrl } from './amqp-url.ts'
import { type Codec, json } from './codec.ts'
import type { RetryPolicy } from './consumer/delayed-retry.ts'
import type { DecodeErrorHandler, DeliveryHandler } from './consumer/delivery.ts'
import type { ConsumeSettings } from './consumer/handler-runner.ts'
import { offsetArgument } from './consumer/stream-position.ts'
import type { Credentials } from './driver/driver.ts'
import { encodableTable } from './publisher/field-table.ts'
import type { PublishBufferOptions } from './publisher/publish-buffer.ts'
import type { PublisherSettings } from './publisher/publisher.ts'
import type { RequestLimits } from './rpc/requests.ts'
import type { RespondHandler, RespondSettings } from './rpc/responder.ts'
import type { Topology } from './topology/topology.ts'
import { validateTopology } from './topology/validate.ts'

/** How the liveness of a connection is checked. */
export interface LivenessOptions {
  /** The AMQP heartbeat interval, in milliseconds; whole seconds only. Default 8 000. */
  readonly heartbeatMs: number
  /** After this time without data, in milliseconds, the broker is probed. Default 750. */
  readonly probeAfterMs: number
  /** Without an answer to a probe within this time, in milliseconds, the client leaves the node. Default 1 000. */
  readonly probeTimeoutMs: number
  /** Without any confirm for this time, in milliseconds, the client tries another node. Default 8 000. */
  readonly confirmStallMs: number
}

/** How the client logs in: with name and password, or by its TLS certificate. */
export type SaslMechanism = 'PLAIN' | 'EXTERNAL'

/** The options of `createRabbit`, resolved. */
export interface ResolvedOptions {
  readonly addresses: EndpointSource
  readonly username: () => Promise<string>
  readonly password: () => Promise<string>
  /** Takes the place of name and password. */
  readonly credentials: (() => Promise<Credentials>) | undefined
  readonly vhost: string
  readonly tls: TlsOptions | (() => Promise<TlsOptions>) | undefined
  readonly mechanism: SaslMechanism
  /** The name of the connections on the broker. */
  readonly name: string
  readonly strategy: Strategy
  readonly failBackAfterMs: number
  readonly dial: DialOptions
  readonly backoff: FullJitter
  readonly liveness: LivenessOptions
  readonly outbox: PublishBufferOptions
  readonly requests: RequestLimits
  /** Timeout of the declaration of one exchange, queue, binding or consumer, in milliseconds. */
  readonly declareTimeoutMs: number
  readonly topology: Topology
}

type DeepPartial<T> = { readonly [K in keyof T]?: Partial<T[K]> }

/** One address: `host`, `host:port`, `[IPv6]:port`, or an object. */
export type Address = string | { readonly host: string; readonly port?: number }

/** The options of `createRabbit`. Only `addresses` has no default. */
export interface RabbitOptions
  extends Partial<Pick<ResolvedOptions, 'vhost' | 'name' | 'topology'>>,
    Partial<Pick<ResolvedOptions, 'failBackAfterMs' | 'declareTimeoutMs'>>,
    DeepPartial<Pick<ResolvedOptions, 'dial' | 'backoff' | 'liveness' | 'outbox' | 'requests'>> {
  /** All nodes: `'n1:5672,n2:5672'`, a list, or a function that is called before each round of dials. */
  readonly addresses: string | readonly Address[] | (() => Promise<readonly Address[]>)
  /** The order in which the nodes are tried. Default `random`. The former words are accepted for one more version. */
  readonly strategy?: Strategy | StrategyAlias
  /** The user. Default `guest`. A function is called before each login, so that a rotated login is picked up. */
  readonly username?: string | (() => string | Promise<string>)
  /** The password. Default `guest`. A function is called before each login, and has the time of one dial. */
  readonly password?: string | (() => string | Promise<string>)
  /**
   * A function that returns name and password together, in place of `username` and `password`. It is called once before
   * each login, so that both change together.
   */
  readonly credentials?: () => Credentials | Promise<Credentials>
  /** True, options of `node:tls`, or a function that returns them and is called before each dial. Default: no TLS. */
  readonly tls?: boolean | TlsOptions | (() => TlsOptions | Promise<TlsOptions>)
  /**
   * `PLAIN` sends name and password; `EXTERNAL` leaves the login to the client certificate of `tls` (the broker needs its
   * plugin `rabbitmq_auth_mechanism_ssl`). Default `PLAIN`.
   */
  readonly mechanism?: SaslMechanism
}

/** Options in addition to a URL; they take precedence over it. */
export type RabbitUrlOverrides = Omit<RabbitOptions, 'addresses'>

/** Checks and completes options or a URL. Throws one `config-invalid` error that names all problems. */
export function resolveRabbitOptions(
  input: string | RabbitOptions,
  overrides: RabbitUrlOverrides = {},
): ResolvedOptions {
  return readGiven('rabbit', () => resolveGiven(input, overrides))
}

function resolveGiven(input: string | RabbitOptions, overrides: RabbitUrlOverrides): ResolvedOptions {
  const given = typeof input === 'string' ? mergeWithUrl(readAmqpUrl(input), overrides) : input
  const defaultPort = isTlsEnabled(given) ? 5671 : 5672
  const options = resolveOptions(optionTable(defaultPort), given, 'rabbit')
  checkLogin(given)
  if (options.mechanism === 'EXTERNAL' && options.tls === undefined)
    throw invalidOption(
      'rabbit.mechanism',
      'EXTERNAL logs in by the client certificate of rabbit.tls, which is not set',
    )
  return options
}

function mergeWithUrl(fromUrl: RabbitOptions, overrides: RabbitUrlOverrides): RabbitOptions {
  const liveness = { ...fromUrl.liveness, ...overrides.liveness }
  const dial = { ...fromUrl.dial, ...overrides.dial }
  // An undefined option, such as an unset environment variable, does not override the URL.
  const set = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined))
  return { ...fromUrl, ...set, liveness, dial }
}

// The only table of defaults.
function optionTable(defaultPort: number): OptionTable<ResolvedOptions> {
  return {
    addresses: addresses(defaultPort),
    username: credentials('guest'),
    password: credentials('guest'),
    credentials: checked(readCredentials, undefined),
    vhost: text('/'),
    tls: tlsSource(),
    mechanism: oneOf(['PLAIN', 'EXTERNAL'], 'PLAIN'),
    name: text('@ha/rabbit'),
    strategy: balancing(['random', 'sequential', 'round-robin'], 'random'),
    failBackAfterMs: milliseconds({ default: 60_000, min: 1_000, max: 86_400_000, orNever: true }),
    dial: group({
      attemptMs: milliseconds({ default: 3_000, min: 100, max: 60_000 }),
      staggerMs: milliseconds({ default: 100, min: 10, max: 10_000 }),
      parallel: count({ default: 2, min: 1, max: 8 }),
    }),
    backoff: backoff({ baseMs: 50, maxMs: 5_000 }),
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
    requests: group({
      maxPending: count({ default: 10_000, min: 1, max: 10_000_000 }),
      maxBytes: count({ default: 64 * 1024 * 1024, min: 1_024, max: 16 * 1024 ** 3 }),
    }),
    declareTimeoutMs: milliseconds({ default: 5_000, min: 100, max: 600_000 }),
    topology: checked(validateTopology, {}),
  }
}

// A queue or a consumer that is named after the client has a number or an id behind it.
const maxNameBytes = 180

/** The name of the client, so short that it fits into the name of a queue or of a consumer. */
export function shortName(name: string): string {
  return Buffer.byteLength(name) <= maxNameBytes
    ? name
    : Buffer.from(name).subarray(0, maxNameBytes).toString()
}

// AMQP counts heartbeats in whole seconds. With less than two, one slow turn of an event loop ends the connection.
function readHeartbeat(value: unknown, path: string): number {
  if (value === undefined) return 8_000
  if (typeof value === 'number' && value >= 2_000 && value <= 600_000 && value % 1_000 === 0) return value
  throw invalidOption(path, 'expected whole seconds in milliseconds, from 2000 to 600000')
}

function readCredentials(value: unknown, path: string): (() => Promise<Credentials>) | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'function')
    throw invalidOption(
      path,
      `expected a function that returns { username, password }, got a ${typeof value}`,
    )
  return async () => {
    const { username, password } = ((await value()) ?? {}) as Partial<Credentials>
    if (typeof username === 'string' && typeof password === 'string') return { username, password }
    throw invalidOption(`${path}()`, 'expected { username, password }, both text')
  }
}

// A URL without a login leaves both out.
function checkLogin({ credentials, username, password }: RabbitOptions): void {
  if (credentials === undefined || (username === undefined && password === undefined)) return
  const name = username === undefined ? 'password' : 'username'
  throw invalidOption(`rabbit.${name}`, 'expected nothing: credentials takes its place')
}

function isTlsEnabled(given: unknown): boolean {
  const { tls } = (given ?? {}) as { tls?: unknown }
  return tls !== undefined && tls !== false
}

// The longest timer of Node.js, a little under 25 days.
const maxTimerMs = 2_147_483_647

interface CallLimit {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  readonly repeatable?: boolean
}

/** Throws `config-invalid` for a limit of a call that does not fit; `names` are the options that the call takes. */
export const checkLimit: CallOptionCheck<CallLimit> = callOptions<CallLimit>({
  table: {
    timeoutMs: (value) => {
      const fits = typeof value === 'number' && value >= 0 && value <= maxTimerMs
      return fits ? undefined : `expected a number of milliseconds from 0 to ${maxTimerMs}`
    },
    signal: optionChecks.signal,
    repeatable: optionChecks.flag,
  },
  invalid: invalidOption,
})

/** The options of a wait. */
export const waitOptions: readonly ('timeoutMs' | 'signal')[] = ['timeoutMs', 'signal']

/** The options of one publisher. */
export interface PublisherOptions<T> {
  /** The exchange, unless `publish` names another one. Default: the default exchange, which routes to queues by name. */
  readonly exchange?: string
  /** The routing key, unless `publish` gives another one. Default: empty. */
  readonly key?: string
  /** Encodes the body. Default: JSON. */
  readonly codec?: Codec<T>
  /** Maximum number of unconfirmed messages. Default 512. */
  readonly maxInFlight?: number
}

/** The options of one consumer. */
export interface ConsumeOptions<T> {
  /** Maximum number of running handlers, from 1 to 65 535; a quorum queue allows 2 000. Default 32. */
  readonly prefetch?: number
  /** The answer to a message whose handler throws. Default `requeue`, after a delay. */
  readonly onError?: 'requeue' | 'reject'
  /**
   * What happens to a message that the codec cannot decode: `reject` dead-letters it, or drops it where the queue has no
   * target; `requeue` delivers it again after a delay; a function decides like a handler. Default `reject`.
   */
  readonly onDecodeError?: 'requeue' | 'reject' | DecodeErrorHandler
  /**
   * Delay before the message of a handler that threw is requeued for the first time, in milliseconds. Default 1 000. It
   * doubles with each failure of the message, up to one minute.
   */
  readonly requeueDelayMs?: number
  /**
   * Moves the message of a handler that threw to a retry queue on the broker, and rejects it after the last attempt, so
   * that it is dead-lettered. `attempts` is the number of calls in all, from 1 to 1 000, default 5; `delaysMs` has the
   * delay after each failure, default 1 s, 10 s, 60 s, and its last one serves for all that follow. Takes the place of
   * `onError`. Default: none.
   */
  readonly retry?: Partial<RetryPolicy>
  /** Whether the broker refuses other consumers of the queue. Default false. */
  readonly exclusive?: boolean
  /**
   * Whether the broker forgets a message as soon as it has sent it. Default false. With true, a message whose process or
   * connection ends before its handler is lost, and so is one whose handler throws: `onError` does not apply.
   */
  readonly noAck?: boolean
  /** Decodes the body. Default: JSON. */
  readonly codec?: Codec<T>
  /**
   * Arguments of RabbitMQ, such as `x-priority`. `x-stream-offset` is where a consumer of a stream starts; after a
   * reconnect it goes on at the first message that it has not handled.
   */
  readonly arguments?: Readonly<Record<string, unknown>>
}

/** The options of one responder. */
export interface RespondOptions<Q, A>
  extends Pick<ConsumeOptions<Q>, 'prefetch' | 'exclusive' | 'arguments'> {
  /**
   * What happens when the handler throws. `reply`: the caller gets the message of the error, and the request is
   * acknowledged; `reject`: the caller gets it, and the request is dead-lettered, or dropped where the queue has no
   * target; `requeue`: the handler is called again after a growing delay, and the caller waits. Default `reply`.
   */
  readonly onError?: 'reply' | 'reject' | 'requeue'
  /** Delay before a requeued request is delivered for the first time, in milliseconds. Default 1 000; doubles, up to one minute. */
  readonly requeueDelayMs?: number
  /** Decodes the request. One that cannot be decoded is answered with the error, and rejected. Default: JSON. */
  readonly codec?: Codec<Q>
  /** Encodes the reply. Default: `codec`. */
  readonly replyCodec?: Codec<A>
}

/** Checks and completes the options of a publisher. */
export function resolvePublisherOptions<T>(options: PublisherOptions<T>): PublisherSettings<T> {
  const table = {
    exchange: amqpName(),
    key: amqpName(),
    codec: codecOption<T>(),
    // A larger window is not faster, and the driver's own bookkeeping slows down with thousands of messages.
    maxInFlight: count({ default: 512, min: 1, max: 4_096 }),
  }
  return resolveOptions<PublisherSettings<T>>(table, options, 'publisher')
}

/** Checks and completes the options of a consumer. */
export function resolveConsumeOptions<T>(
  queue: string,
  handler: DeliveryHandler<T>,
  options: ConsumeOptions<T>,
): ConsumeSettings<T> {
  checkQueueAndHandler('consume', queue, handler)
  const table = {
    prefetch: count({ default: 32, min: 1, max: 65_535 }),
    onError: oneOf(['requeue', 'reject'], 'requeue'),
    onDecodeError: checked(readOnDecodeError, 'reject' as const),
    requeueDelayMs: milliseconds({ default: 1_000, min: 0, max: 600_000 }),
    retry: optional(
      group<RetryPolicy>({
        attempts: count({ default: 5, min: 1, max: 1_000 }),
        delaysMs: checked(readDelays, defaultDelaysMs),
      }),
    ),
    exclusive: flag(false),
    noAck: flag(false),
    codec: codecOption<T>(),
    arguments: checked(readConsumeArguments, {}),
  }
  const settings = resolveOptions<Omit<ConsumeSettings<T>, 'queue' | 'handler'>>(
    table,
    options,
    `consume '${queue}'`,
  )
  if (settings.noAck) checkNoAck(queue, options)
  if (settings.retry !== undefined) checkRetry(queue, options)
  return { ...settings, queue, handler }
}

/** Checks and completes the options of a responder. */
export function resolveRespondOptions<Q, A>(
  queue: string,
  handler: RespondHandler<Q, A>,
  options: RespondOptions<Q, A>,
): RespondSettings<Q, A> {
  checkQueueAndHandler('respond', queue, handler)
  type Given = Pick<
    RespondSettings<Q, A>,
    'prefetch' | 'onError' | 'requeueDelayMs' | 'exclusive' | 'codec' | 'arguments'
  >
  const settings = resolveOptions<Given & { readonly replyCodec: Codec<A> | undefined }>(
    {
      prefetch: count({ default: 32, min: 1, max: 65_535 }),
      onError: oneOf(['reply', 'reject', 'requeue'], 'reply'),
      requeueDelayMs: milliseconds({ default: 1_000, min: 0, max: 600_000 }),
      exclusive: flag(false),
      codec: codecOption<Q>(),
      replyCodec: optional(codecOption<A>()),
      arguments: checked(readConsumeArguments, {}),
    },
    options,
    `respond '${queue}'`,
  )
  // Without codecs, both are JSON, which encodes any type.
  const replyCodec = settings.replyCodec ?? (settings.codec as unknown as Codec<A>)
  return { ...settings, queue, handler, replyCodec, noAck: false, retry: undefined }
}

function checkQueueAndHandler(call: string, queue: unknown, handler: unknown): void {
  if (typeof queue !== 'string' || queue === '' || Buffer.byteLength(queue) > 255)
    throw invalidOption(call, 'expected the name of a queue of at most 255 bytes')
  if (typeof handler !== 'function') throw invalidOption(`${call} '${queue}'`, 'expected a handler')
}

// The empty string is valid in AMQP: it names the default exchange and is a routing key.
function amqpName(): OptionReader<string> {
  return checked((value, path) => {
    if (value === undefined) return ''
    if (typeof value === 'string' && Buffer.byteLength(value) <= 255) return value
    throw invalidOption(path, 'expected text of at most 255 bytes')
  }, '')
}

function codecOption<T>(): OptionReader<Codec<T>> {
  return checked((value, path) => {
    if (value === undefined) return json<T>()
    const problem = codecProblem(value)
    if (problem === undefined) return value as Codec<T>
    throw invalidOption(path, problem)
  }, json<T>())
}

/** What was expected instead of a value that is no codec; undefined for a codec. */
export function codecProblem(value: unknown): string | undefined {
  const { encode, decode } = (value ?? {}) as Partial<Codec<unknown>>
  return typeof encode === 'function' && typeof decode === 'function'
    ? undefined
    : 'expected json(), text(), bytes() or a codec of your own'
}

function checkNoAck<T>(queue: string, options: ConsumeOptions<T>): void {
  const { onError, requeueDelayMs, retry, onDecodeError } = options
  const onDecode = typeof onDecodeError === 'function' ? undefined : onDecodeError
  const given = { onError, requeueDelayMs, retry, onDecodeError: onDecode }
  for (const [name, value] of Object.entries(given))
    if (value !== undefined)
      throw invalidOption(`consume '${queue}'.${name}`, 'with noAck, no message can be requeued or rejected')
}

function checkRetry<T>(queue: string, { onError, arguments: given }: ConsumeOptions<T>): void {
  const path = `consume '${queue}'`
  if (onError !== undefined) throw invalidOption(`${path}.onError`, 'expected nothing: retry takes its place')
  if (given?.[offsetArgument] !== undefined)
    throw invalidOption(
      `${path}.retry`,
      'a stream keeps its messages: a failed handler is called again in the process',
    )
}

const defaultDelaysMs: readonly number[] = [1_000, 10_000, 60_000]
// The longest time that the broker takes for a queue.
const maxDelayMs = 4_294_967_295

function readDelays(value: unknown, path: string): readonly number[] {
  if (value === undefined) return defaultDelaysMs
  const fits = (delay: unknown): boolean =>
    Number.isInteger(delay) && Number(delay) >= 1 && Number(delay) <= maxDelayMs
  if (Array.isArray(value) && value.length > 0 && value.length <= 32 && value.every(fits)) return [...value]
  throw invalidOption(path, `expected a list of 1 to 32 delays in milliseconds from 1 to ${maxDelayMs}`)
}

function readOnDecodeError(value: unknown, path: string): 'requeue' | 'reject' | DecodeErrorHandler {
  if (value === undefined) return 'reject'
  if (value === 'requeue' || value === 'reject') return value
  if (typeof value === 'function') return value as DecodeErrorHandler
  const hint = typeof value === 'string' ? didYouMean(value, ['requeue', 'reject']) : ''
  throw invalidOption(path, `expected requeue, reject or a function${hint}`)
}

function readConsumeArguments(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidOption(path, 'expected an object')
  const { [offsetArgument]: offset, ...given }: Readonly<Record<string, unknown>> = { ...value }
  checkStreamOffset(offset, `${path}.${offsetArgument}`)
  const { table } = encodableTable(given, path)
  return offset === undefined ? table : { ...table, [offsetArgument]: offset }
}

function checkStreamOffset(offset: unknown, path: string): void {
  const isTime = offset instanceof Date ? !Number.isNaN(offset.getTime()) : isObject(offset)
  const isNumber = Number.isSafeInteger(offset) && Number(offset) >= 0
  const isText = typeof offset === 'string' && /^(first|last|next|\d+[YMDhms])$/.test(offset)
  if (offset === undefined || isTime || isNumber || isText) return
  throw invalidOption(path, "expected an offset, 'first', 'last', 'next', a Date or an interval such as '1h'")
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}
