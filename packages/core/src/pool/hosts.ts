import { type Endpoint, formatEndpoint } from '../address/endpoint.ts'
import { asError, HaError } from '../errors/ha-error.ts'
import type { Member } from '../model/member.ts'
import { EndpointRegistry } from '../model/roster.ts'
import { memberAt, type View } from '../model/view.ts'
import { Notifier } from '../runtime/pulse.ts'
import { type LinkedController, linkedController } from '../runtime/scope.ts'
import { Host } from './host.ts'
import { Monitor } from './monitor.ts'
import type { PoolOptions } from './pool-options.ts'
import type { PoolTelling } from './pool-telling.ts'

export interface HostsParts<C, R> {
  readonly options: PoolOptions<C, R>
  readonly telling: PoolTelling
  readonly onLent: () => void
  readonly onReturned: () => void
}

interface Watched<C, R> {
  readonly host: Host<C>
  readonly monitor: Monitor<C, R>
  readonly scope: LinkedController
  readonly running: Promise<unknown>
}

/** The endpoints of a pool as the view has them: a {@link Host} and a {@link Monitor} for each that is listed. */
export class Hosts<C, R> {
  /** Fires when the view has changed. */
  readonly changed: Notifier = new Notifier()
  readonly roster: EndpointRegistry<R>
  readonly #parts: HostsParts<C, R>
  readonly #watched = new Map<string, Watched<C, R>>()
  // By identity, which is what views and leases hold: looking up by name costs a text for each operation.
  readonly #byEndpoint = new WeakMap<Endpoint, Host<C>>()
  #open = false

  constructor(parts: HostsParts<C, R>) {
    this.#parts = parts
    const { clock, endpoints, monitor } = parts.options
    this.roster = new EndpointRegistry<R>(clock, endpoints, {
      rules: monitor,
      onChange: (view, before) => this.#follow(view, before),
    })
  }

  get(endpoint: Endpoint): Host<C> | undefined {
    return this.#byEndpoint.get(endpoint) ?? this.#watched.get(formatEndpoint(endpoint))?.host
  }

  *all(): Iterable<Host<C>> {
    for (const { host } of this.#watched.values()) yield host
  }

  /** Begins to watch what is listed. */
  start(): void {
    this.#open = true
    this.#follow(this.roster.view, { ...this.roster.view, members: [] })
  }

  /** Makes the monitor of an endpoint look at once. */
  wake(endpoint: Endpoint): void {
    this.#watched.get(formatEndpoint(endpoint))?.monitor.wake()
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
  #follow(view: View<R>, before: View<R>): void {
    if (!this.#open) return
    for (const member of view.members) this.#followMember(member)
    const listed = new Set(view.members.map((member) => formatEndpoint(member.endpoint)))
    for (const [name, watched] of this.#watched) if (!listed.has(name)) this.#unwatch(name, watched)
    for (const host of this.all()) host.review()
    this.changed.notifyAll()
    for (const member of view.members) {
      const last = memberAt(before, member.endpoint)
      if (last !== undefined && last.health !== member.health) this.#parts.telling.host(last, member)
    }
  }

  #followMember({ endpoint, health, lastError }: Member<R>): void {
    const { host } = this.#watched.get(formatEndpoint(endpoint)) ?? this.#watch(endpoint)
    switch (health) {
      case 'unknown':
        break
      case 'up':
      case 'suspect':
      case 'probation':
        host.begin()
        break
      case 'down':
        host.end(lastError ?? new HaError('lost', `${host.name} is down`, { endpoint: host.name }))
        break
    }
  }

  #watch(endpoint: Endpoint): Watched<C, R> {
    const { options, telling, onLent, onReturned } = this.#parts
    const scope = linkedController()
    const host: Host<C> = new Host({
      endpoint,
      options,
      telling,
      onLent,
      onReturned,
      onFailure: () => monitor.wake(),
    })
    const monitor: Monitor<C, R> = new Monitor({
      endpoint,
      options,
      health: () => memberAt(this.roster.view, endpoint)?.health ?? 'down',
      see: (sight) => {
        if (sight.kind === 'read' || sight.kind === 'reached') host.trust()
        this.roster.observe({ ...sight, endpoint })
      },
    })
    const running = monitor
      .run(scope.signal)
      .catch((thrown: unknown) => this.#stopped(endpoint, scope, thrown))
    const watched = { host, monitor, scope, running }
    this.#watched.set(host.name, watched)
    this.#byEndpoint.set(endpoint, host)
    return watched
  }

  // A monitor ends by rejection: when nobody needs it any more, or by a defect, and then nothing is known any more.
  #stopped(endpoint: Endpoint, { signal }: LinkedController, thrown: unknown): void {
    if (signal.aborted) return
    const message = `the monitor of ${formatEndpoint(endpoint)} stopped: ${asError(thrown).message}`
    const error = new HaError('internal', message, { cause: thrown })
    this.roster.observe({ kind: 'failed', endpoint, error, atMs: this.#parts.options.clock.now() })
  }

  #unwatch(name: string, watched: Watched<C, R>): void {
    this.#watched.delete(name)
    this.#byEndpoint.delete(watched.host.endpoint)
    const error = new HaError('lost', `${name} is no longer listed`, { endpoint: name, retryable: true })
    watched.host.end(error)
    watched.host.review()
    this.#end(watched, 0, error).catch(() => undefined)
  }

  async #end(
    { host, monitor, scope, running }: Watched<C, R>,
    timeoutMs: number,
    error: HaError,
  ): Promise<void> {
    scope.abort(error)
    await running
    await Promise.all([host.retireIdle(timeoutMs), monitor.close(timeoutMs)])
    host.end(error)
  }
}
