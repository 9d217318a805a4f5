import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import { type Member, memberAt, type View } from '../cluster/cluster-view.ts'
import { EndpointRegistry } from '../cluster/endpoint-registry.ts'
import { asError, HaError } from '../errors/ha-error.ts'
import { type LinkedController, linkedController } from '../util/abort.ts'
import { Notifier } from '../util/notifier.ts'
import { EndpointPool } from './endpoint-pool.ts'
import { HealthMonitor } from './health-monitor.ts'
import type { PoolOptions } from './pool-options.ts'
import type { PoolReporter } from './pool-report.ts'

export interface EndpointPoolsDeps<C, R> {
  readonly options: PoolOptions<C, R>
  readonly reporter: PoolReporter
  readonly onCheckedOut: () => void
  readonly onReturned: () => void
}

interface WatchedEndpoint<C, R> {
  readonly pool: EndpointPool<C>
  readonly monitor: HealthMonitor<C, R>
  readonly scope: LinkedController
  readonly running: Promise<unknown>
}

/** The endpoints of a pool as the view has them: a {@link EndpointPool} and a {@link HealthMonitor} for each that is listed. */
export class EndpointPools<C, R> {
  /** Fires when the view has changed. */
  readonly changed: Notifier = new Notifier()
  readonly registry: EndpointRegistry<R>
  readonly #deps: EndpointPoolsDeps<C, R>
  readonly #watched = new Map<string, WatchedEndpoint<C, R>>()
  // By identity, which is what views and leases hold: looking up by name costs a text for each operation.
  readonly #byEndpoint = new WeakMap<Endpoint, EndpointPool<C>>()
  #open = false

  constructor(parts: EndpointPoolsDeps<C, R>) {
    this.#deps = parts
    const { clock, endpoints, monitor } = parts.options
    this.registry = new EndpointRegistry<R>(clock, endpoints, {
      rules: monitor,
      onChange: (view, before) => this.#applyView(view, before),
    })
  }

  get(endpoint: Endpoint): EndpointPool<C> | undefined {
    return this.#byEndpoint.get(endpoint) ?? this.#watched.get(formatEndpoint(endpoint))?.pool
  }

  *all(): Iterable<EndpointPool<C>> {
    for (const { pool } of this.#watched.values()) yield pool
  }

  /** Begins to watch what is listed. */
  start(): void {
    this.#open = true
    this.#applyView(this.registry.view, { ...this.registry.view, members: [] })
  }

  /** Makes the monitor of an endpoint look at once. */
  checkNow(endpoint: Endpoint): void {
    this.#watched.get(formatEndpoint(endpoint))?.monitor.checkNow()
  }

  /**
   * Ends everything: idle connections and those of the monitors politely within `timeoutMs`, then what is left at
   * once.
   */
  async close(timeoutMs: number, error: HaError): Promise<void> {
    this.#open = false
    const watched = [...this.#watched.values()]
    await Promise.all(watched.map((each) => this.#end(each, timeoutMs, error)))
  }

  // What is believed decides what is done: the one place where hosts begin and end.
  #applyView(view: View<R>, before: View<R>): void {
    if (!this.#open) return
    for (const member of view.members) this.#applyMember(member)
    const listed = new Set(view.members.map((member) => formatEndpoint(member.endpoint)))
    for (const [name, watched] of this.#watched) if (!listed.has(name)) this.#unwatch(name, watched)
    for (const pool of this.all()) pool.reviewQueue()
    this.changed.notifyAll()
    for (const member of view.members) {
      const last = memberAt(before, member.endpoint)
      if (last !== undefined && last.health !== member.health) this.#deps.reporter.hostChanged(last, member)
    }
  }

  #applyMember({ endpoint, health, lastError }: Member<R>): void {
    const { pool } = this.#watched.get(formatEndpoint(endpoint)) ?? this.#watch(endpoint)
    switch (health) {
      case 'unknown':
        break
      case 'up':
      case 'suspect':
      case 'probation':
        pool.markUsable()
        break
      case 'down':
        pool.markUnusable(lastError ?? new HaError('lost', `${pool.name} is down`, { endpoint: pool.name }))
        break
    }
  }

  #watch(endpoint: Endpoint): WatchedEndpoint<C, R> {
    const { options, reporter, onCheckedOut: onLent, onReturned } = this.#deps
    const scope = linkedController()
    const pool: EndpointPool<C> = new EndpointPool({
      endpoint,
      options,
      reporter,
      onCheckedOut: onLent,
      onReturned,
      onFailure: () => monitor.checkNow(),
    })
    const monitor: HealthMonitor<C, R> = new HealthMonitor({
      endpoint,
      options,
      health: () => memberAt(this.registry.view, endpoint)?.health ?? 'down',
      observe: (observation) => {
        if (observation.kind === 'read' || observation.kind === 'reached') pool.clearSuspicion()
        this.registry.observe({ ...observation, endpoint })
      },
    })
    const running = monitor
      .run(scope.signal)
      .catch((thrown: unknown) => this.#onMonitorStopped(endpoint, scope, thrown))
    const watched = { pool, monitor, scope, running }
    this.#watched.set(pool.name, watched)
    this.#byEndpoint.set(endpoint, pool)
    return watched
  }

  // A monitor ends by rejection: when nobody needs it any more, or by a defect, and then nothing is known any more.
  #onMonitorStopped(endpoint: Endpoint, { signal }: LinkedController, thrown: unknown): void {
    if (signal.aborted) return
    const message = `the monitor of ${formatEndpoint(endpoint)} stopped: ${asError(thrown).message}`
    const error = new HaError('internal', message, { cause: thrown })
    this.registry.observe({ kind: 'failed', endpoint, error, atMs: this.#deps.options.clock.now() })
  }

  #unwatch(name: string, watched: WatchedEndpoint<C, R>): void {
    this.#watched.delete(name)
    this.#byEndpoint.delete(watched.pool.endpoint)
    const error = new HaError('lost', `${name} is no longer listed`, { endpoint: name, retryable: true })
    watched.pool.markUnusable(error)
    watched.pool.reviewQueue()
    this.#end(watched, 0, error).catch(() => undefined)
  }

  async #end(
    { pool, monitor, scope, running }: WatchedEndpoint<C, R>,
    timeoutMs: number,
    error: HaError,
  ): Promise<void> {
    scope.abort(error)
    await running
    await Promise.all([pool.retireIdle(timeoutMs), monitor.close(timeoutMs)])
    pool.markUnusable(error)
  }
}
