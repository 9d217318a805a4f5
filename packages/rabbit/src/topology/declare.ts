import type { Clock, Declaration, HaError, Link } from '@ha/core'
import { asError, raceAbort } from '@ha/core/driver'
import { openChannel } from '../driver/channel.ts'
import type { AmqpConnection } from '../driver/connection.ts'
import { classify, replyCode } from '../driver/error-classification.ts'
import type { Channel } from '../driver/types.ts'
import { rabbitError } from '../errors.ts'
import { encodableTable } from '../publisher/field-table.ts'
import { equivalentArguments, withRemedy } from './equivalence.ts'
import {
  type Arguments,
  type BindingSpec,
  exchangeKey,
  exchangesThatIgnoreKeys,
  exchangesWithUnreliableReturns,
  isPassive,
  needsOf,
  type QueueSpec,
  queueKey,
  queueOptions,
  routeKeys,
  survives,
  type Topology,
  type TopologyStep,
  topologySteps,
} from './topology.ts'

interface DeclaredTopologyDeps {
  readonly clock: Clock
  readonly topology: Topology
  readonly link: Link<AmqpConnection>
  /** How long one declaration may take. */
  readonly timeoutMs: number
}

/** The declarations that a message waits for. */
interface Route {
  readonly keys: readonly string[]
  isReady: boolean
}

// A declaration that succeeded so recently is not repeated for an unroutable message.
const minRecheckIntervalMs = 5_000

/** The topology of a client, declared on every connection of its link, and what is known of it on the broker. */
export class DeclaredTopology {
  readonly #deps: DeclaredTopologyDeps
  /** Names of queues on the broker. A server-named queue has another name on each connection. */
  readonly #queueNames = new Map<string, string>()
  readonly #exchangeRoutes: ReadonlyMap<string, Route>
  readonly #queueRoutes: ReadonlyMap<string, Route>
  /** Arguments of queues in the words of those who declared them, by key. */
  readonly #equivalents = new Map<string, Arguments>()
  readonly #unreliableReturns: ReadonlySet<string>
  readonly #keyless: ReadonlySet<string>

  constructor(deps: DeclaredTopologyDeps) {
    this.#deps = deps
    const { topology, link } = deps
    const { exchanges = {}, queues = {} } = topology
    this.#unreliableReturns = exchangesWithUnreliableReturns(topology)
    this.#keyless = exchangesThatIgnoreKeys(topology)
    this.#exchangeRoutes = routesOf(exchanges, (exchange) => routeKeys(topology, exchange, ''))
    this.#queueRoutes = routesOf(queues, (queue) => routeKeys(topology, '', queue))
    for (const step of topologySteps(topology)) link.desiredState.declare(this.#declaration(step))
  }

  /** Starts the link when there is something to declare. */
  start(): void {
    const { topology, link } = this.#deps
    if (topologySteps(topology).length > 0) link.start()
  }

  /** The broker's name of a queue; a queue outside the topology keeps its own name. */
  queueName(queue: string): string {
    return this.#queueNames.get(queue) ?? queue
  }

  /** Whether a message that this exchange returns has reached no queue. */
  returnsAreReliable(exchange: string): boolean {
    return !this.#unreliableReturns.has(exchange)
  }

  /** Whether an exchange of the topology has a type that ignores the routing key. */
  ignoresKey(exchange: string): boolean {
    return this.#keyless.has(exchange)
  }

  /** Whether everything a message needs is known to exist, or was refused. */
  isRouteReady(exchange: string, key: string): boolean {
    const route = this.#routeOf(exchange, key)
    if (route === undefined || route.isReady) return true
    const { desiredState } = this.#deps.link
    route.isReady = route.keys.every((needed) => desiredState.isSettled(needed))
    return route.isReady
  }

  /**
   * Declares the bindings of a route again after an unroutable message: the broker does not report a binding that was
   * removed. Where no binding matches the key, this costs one request for each binding per interval.
   */
  recheck(exchange: string, key: string): void {
    const { clock, link } = this.#deps
    for (const needed of this.#routeOf(exchange, key)?.keys ?? []) {
      if (needed === exchangeKey(exchange)) continue
      const status = link.desiredState.status(needed)
      if (status?.kind !== 'held' || clock.now() - status.sinceMs < minRecheckIntervalMs) continue
      this.invalidate(needed, rabbitError('unroutable', `no message was routed to ${needed}`))
    }
  }

  /** Declares an exchange again that the broker does not know; false when it is not in the topology, or was refused. */
  redeclareExchange(exchange: string): boolean {
    const key = exchangeKey(exchange)
    if (!this.#exchangeRoutes.has(exchange) || this.#deps.link.desiredState.isRefused(key)) return false
    const error = rabbitError('exchange-missing', `exchange '${exchange}' no longer exists`)
    this.invalidate(key, error)
    return true
  }

  /** Declares a queue that is not in the topology of the client's options. Replaces an earlier one of that name. */
  declareQueue(name: string, spec: QueueSpec): void {
    const { link } = this.#deps
    link.desiredState.declare(this.#declaration({ kind: 'queue', key: queueKey(name), name, spec }))
  }

  /** Declares such a queue no more. Does not delete it. */
  forgetQueue(name: string): void {
    this.#deps.link.desiredState.forget(queueKey(name))
  }

  /** Declares a queue again that the broker does not know. */
  redeclareQueue(queue: string): void {
    this.invalidate(queueKey(queue), rabbitError('queue-missing', `queue '${queue}' no longer exists`))
  }

  /** A declaration no longer holds. Messages that need it wait until it does. */
  invalidate(key: string, error: Error): void {
    for (const routes of [this.#exchangeRoutes, this.#queueRoutes])
      for (const route of routes.values()) route.isReady = false
    this.#deps.link.invalidate(key, error)
  }

  /** Waits for the next change of any declaration. */
  changed(signal: AbortSignal): Promise<void> {
    return this.#deps.link.desiredState.changed.wait(signal)
  }

  #routeOf(exchange: string, key: string): Route | undefined {
    return exchange === '' ? this.#queueRoutes.get(key) : this.#exchangeRoutes.get(exchange)
  }

  // Each step has a channel of its own: a declaration that fails or hangs does not affect the others.
  #declaration(step: TopologyStep): Declaration<AmqpConnection> {
    const { topology, timeoutMs } = this.#deps
    return {
      key: step.key,
      needs: needsOf(step),
      gates: false,
      survives: survives(step, topology),
      timeoutMs,
      apply: (connection, signal) => this.#apply(step, connection, signal),
      tryApart: (connection, signal) => this.#tryApart(step, connection, signal),
    }
  }

  // The names of queues that the broker chooses there are not those of the lease.
  async #tryApart(step: TopologyStep, connection: AmqpConnection, signal: AbortSignal): Promise<void> {
    const { channel } = await openChannel(connection, signal)
    const declared = declare(step, channel, connection.version, new Map(this.#queueNames))
    await raceAbort(declared, signal, () => undefined)
  }

  async #apply(step: TopologyStep, connection: AmqpConnection, signal: AbortSignal): Promise<void> {
    const triedAtMs = this.#deps.clock.now()
    try {
      await this.#declareEquivalent(step, connection, signal)
    } catch (thrown) {
      const cause = asError(thrown)
      if (signal.aborted || step.kind !== 'binding' || !isMissing(cause)) throw withRemedy(cause)
      const error = missingEndError(cause)
      this.#redeclareEnds(step, triedAtMs, error)
      throw error
    }
  }

  // Declares a queue in other words until they are those of the existing one; the broker names one difference at a time.
  async #declareEquivalent(
    step: TopologyStep,
    connection: AmqpConnection,
    signal: AbortSignal,
  ): Promise<void> {
    for (let tries = 1; ; tries++) {
      const given = stepWith(step, this.#equivalents.get(step.key))
      try {
        await declareOnChannel(given, connection, this.#queueNames, signal)
        return
      } catch (thrown) {
        const sent = sentArguments(given, connection.version)
        const equivalent = sent === undefined ? undefined : equivalentArguments(sent, thrown)
        if (equivalent === undefined || tries > maxEquivalents || signal.aborted) throw thrown
        this.#equivalents.set(step.key, equivalent)
      }
    }
  }

  // The exchange or queue of a binding was believed to exist when the binding was tried, and does not. Declare it
  // again, then the binding. An end that was declared after the attempt has begun is left as it is.
  #redeclareEnds(binding: TopologyStep, triedAtMs: number, error: HaError): void {
    const { desiredState } = this.#deps.link
    for (const key of needsOf(binding)) {
      const status = desiredState.status(key)
      const isNewer = status?.kind === 'held' && status.sinceMs >= triedAtMs
      if (!isNewer && desiredState.isSettled(key)) this.invalidate(key, error)
    }
    this.invalidate(binding.key, error)
  }
}

// More than there are arguments with a default.
const maxEquivalents = 10

/** A step whose queue is declared with exactly these arguments, when there are any. */
type DeclaredStep = TopologyStep & { readonly exactly?: Arguments }

function stepWith(step: TopologyStep, exactly: Arguments | undefined): DeclaredStep {
  return exactly === undefined ? step : { ...step, exactly }
}

function sentArguments(step: DeclaredStep, version: string): Arguments | undefined {
  if (step.kind !== 'queue') return undefined
  return step.exactly ?? { ...queueOptions(step.spec, version).arguments }
}

async function declareOnChannel(
  step: DeclaredStep,
  connection: AmqpConnection,
  queueNames: Map<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const guard = await openChannel(connection, signal)
  try {
    const declared = declare(step, guard.channel, connection.version, queueNames)
    await raceAbort(declared, signal, () => undefined)
  } finally {
    guard.discard()
  }
}

function routesOf(
  named: Readonly<Record<string, unknown>>,
  keysOf: (name: string) => readonly string[],
): ReadonlyMap<string, Route> {
  return new Map(Object.keys(named).map((name) => [name, { keys: keysOf(name), isReady: false }]))
}

// A queue whose home node is down is also a 404; that one is transient.
function isMissing(cause: Error): boolean {
  return replyCode(cause) === 404 && !classify(cause).transient
}

// Both ends are known from an earlier connection, so they are declared in parallel with their binding. When the broker
// has lost one of them, the binding may be refused first: this is no conflict, it is to be repeated.
function missingEndError(cause: Error): HaError {
  const code = cause.message.includes('no exchange') ? 'exchange-missing' : 'queue-missing'
  return rabbitError(code, cause.message, { cause, serverCode: 404, retryable: true })
}

async function declare(
  step: DeclaredStep,
  channel: Channel,
  version: string,
  queueNames: Map<string, string>,
): Promise<void> {
  switch (step.kind) {
    case 'exchange': {
      const { type, durable = true, passive, ...settings } = step.spec
      if (passive === true) {
        await channel.checkExchange(step.name)
        return
      }
      await channel.assertExchange(step.name, type, {
        ...settings,
        durable,
        arguments: encoded(settings.arguments),
      })
      return
    }
    case 'queue': {
      if (isPassive(step.spec)) {
        await channel.checkQueue(step.name)
        return
      }
      const requestedName = step.spec.kind === 'ephemeral' ? '' : step.name
      const options = queueOptions(step.spec, version)
      const given = { ...options, arguments: encoded(step.exactly ?? options.arguments) }
      const { queue } = await channel.assertQueue(requestedName, given)
      queueNames.set(step.name, queue)
      return
    }
    case 'binding':
      return bind(step.spec, channel, queueNames)
  }
}

function encoded(args: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return encodableTable(args, 'arguments').table
}

async function bind(
  spec: BindingSpec,
  channel: Channel,
  queueNames: ReadonlyMap<string, string>,
): Promise<void> {
  const { exchange, key = '' } = spec
  const args = encoded(spec.arguments)
  if (spec.queue === undefined) await channel.bindExchange(spec.toExchange, exchange, key, args)
  else await channel.bindQueue(queueNames.get(spec.queue) ?? spec.queue, exchange, key, args)
}

type DesiredState = Link<AmqpConnection>['desiredState']

/**
 * Waits until a declaration is settled; `onWait` is called before each wait. Rejects when the broker refused it for
 * good.
 */
export async function whenSettled(
  desiredState: DesiredState,
  key: string,
  signal: AbortSignal,
  onWait: () => void,
): Promise<void> {
  while (!desiredState.isSettled(key)) {
    onWait()
    await desiredState.changed.wait(signal)
  }
  await desiredState.whenSettled(key, signal)
}

/** The error of the last attempt, or undefined when there was none or another attempt is under way. */
export function lastFailure(desiredState: DesiredState, key: string): Error | undefined {
  const status = desiredState.status(key)
  return status?.kind === 'retrying' ? status.error : undefined
}
