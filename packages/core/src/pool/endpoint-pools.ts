import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import { type Member, memberAt, type Observation, type View } from '../cluster/cluster-view.ts'
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

/** An {@link EndpointPool} and a {@link HealthMonitor} for each endpoint that is listed. */
export class EndpointPools<C, R> {
  /** Notifies when the view has changed. */
  readonly changed: Notifier = new Notifier()
  readonly registry: EndpointRegistry<R>
  readonly #deps: EndpointPoolsDeps<C, R>
  readonly #watched = new Map<string, WatchedEndpoint<C, R>>()
  // By identity, as views and leases hold the same objects: a lookup by name would build a string for each operation.
  readonly #byEndpoint = new WeakMap<Endpoint, EndpointPool<C>>()
  #open = false

  constructor(deps: EndpointPoolsDeps<C, R>) {
    this.#deps = deps
    const { clock, endpoints, monitor } = deps.options
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

  /** Starts to monitor the listed endpoints. */
  start(): void {
    this.#open = true
    this.#applyView(this.registry.view, { ...this.registry.view, members: [] })
  }

  /** Makes the monitor of an endpoint check at once. */
  checkNow(endpoint: Endpoint): void {
    this.#watched.get(formatEndpoint(endpoint))?.monitor.checkNow()
  }

  /**
   * Closes idle connections and those of the monitors gracefully within `timeoutMs`, then ends the rest at once.
   */
  async close(timeoutMs: number, error: HaError): Promise<void> {
    this.#open = false
    const watched = [...this.#watched.values()]
    await Promise.all(watched.map((each) => this.#end(each, timeoutMs, error)))
  }

  // The one place where endpoints become usable and unusable: it follows the view.
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
    const { options, reporter, onCheckedOut, onReturned } = this.#deps
    const scope = linkedController()
    const pool: EndpointPool<C> = new EndpointPool({
      endpoint,
      options,
      reporter,
      onCheckedOut,
      onReturned,
      onFailure: () => monitor.checkNow(),
    })
    const monitor: HealthMonitor<C, R> = new HealthMonitor({
      endpoint,
      options,
      health: () => memberAt(this.registry.view, endpoint)?.health ?? 'down',
      observe: (observation) => {
        if (provesServer(observation)) pool.clearSuspicion()
        this.registry.observe({ ...observation, endpoint })
      },
      onServerSilent: (connection, error) => {
        const server = options.driver.serverOf?.(connection)
        if (server !== undefined) pool.endServer(server, error)
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

  // A monitor ends by rejection: with its scope, or by a defect. After a defect the endpoint counts as down.
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

function provesServer(observation: Observation): boolean {
  return (
    observation.kind === 'read' || (observation.kind === 'reached' && observation.isOnlyEndpoint !== true)
  )
}
