import { checked, type OptionTable } from '@ha/core/driver'
import { ZookeeperError } from '../errors.ts'
import { resolveOptions } from '../operations/call-options.ts'
import { checkPath, childOf } from '../operations/paths.ts'
import { curatorCodec } from './curator-codec.ts'
import type { DiscoveryContext } from './discovery-context.ts'
import { checkNodeName, type InstanceCodec, type InstanceSpec, resolveInstance } from './instance.ts'
import { InstanceList } from './instance-list.ts'
import {
  type RegisterOptions,
  Registration,
  type RegistrationState,
  resolveRegisterOptions,
} from './registration.ts'
import {
  resolveServiceOptions,
  type ServiceOptions,
  ServiceView,
  type ServiceViewState,
} from './service-view.ts'

/** The location and format of the registry. */
export interface DiscoveryOptions {
  /** The parent of the services' nodes. Default `/services`. */
  readonly basePath?: string | undefined
  /** Default {@link curatorCodec}. */
  readonly codec?: InstanceCodec | undefined
}

/** Registers instances of services, and follows the registered instances. */
export class Discovery implements AsyncDisposable {
  readonly #context: DiscoveryContext
  readonly #basePath: string
  readonly #codec: InstanceCodec
  readonly #registrations = new Set<Registration>()
  readonly #views = new Set<ServiceView>()

  constructor(context: DiscoveryContext, options: DiscoveryOptions = {}) {
    const { basePath, codec } = resolveOptions(optionTable, options, 'discovery')
    this.#context = context
    this.#basePath = basePath
    this.#codec = codec
  }

  /**
   * Registers an instance as soon as it is healthy and the ensemble can be reached, and keeps it registered across
   * connections and sessions while its checks pass. Throws `config-invalid` at once, and `closed`.
   */
  register(spec: InstanceSpec, options: RegisterOptions = {}): Registration {
    this.#context.signal.throwIfAborted()
    const instance = resolveInstance(spec, this.#utcMs())
    const path = childOf(childOf(this.#basePath, instance.name), instance.id)
    const settings = resolveRegisterOptions(options, `register '${instance.name}'`)
    const registration = new Registration({
      context: this.#context,
      instance,
      reserved: this.#context.reserve(path),
      codec: this.#codec,
      settings,
    })
    this.#registrations.add(registration)
    registration.events.on('state', ({ kind }) => {
      if (kind === 'closed') this.#registrations.delete(registration)
    })
    return registration
  }

  /** Follows the instances of a service until the view is closed. Create one view for a service, and keep it. */
  service(name: string, options: ServiceOptions = {}): ServiceView {
    const settings = resolveServiceOptions(options, `service '${checkNodeName(name, 'service')}'`)
    const path = childOf(this.#basePath, name)
    const list = new InstanceList(this.#context, path, this.#codec, settings.coalesceMs)
    const view = new ServiceView({
      context: this.#context,
      name,
      list,
      settings,
      onClosed: () => this.#views.delete(view),
    })
    this.#views.add(view)
    return view
  }

  /** The current registrations and views, as plain data. */
  health(): DiscoveryHealth {
    return {
      registrations: [...this.#registrations].map(({ path, state }) => ({
        path,
        state: state.kind,
        reason: 'reason' in state ? state.reason : undefined,
      })),
      services: [...this.#views].map((view) => ({
        name: view.name,
        state: view.state,
        reason: view.reason,
        instances: view.all().length,
        undecodable: view.undecodable,
      })),
    }
  }

  /** Closes all registrations and views. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([...this.#registrations, ...this.#views].map((open) => open.close()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // The time of day, which distinguishes two processes with one id: the system time at the start of this process plus
  // the monotonic time since then.
  #utcMs(): number {
    return Math.round(performance.timeOrigin + this.#context.clock.now())
  }
}

const optionTable: OptionTable<{ readonly basePath: string; readonly codec: InstanceCodec }> = {
  basePath: checked((value, path) => readBasePath(value ?? '/services', path), '/services'),
  codec: checked((value, path) => readCodec(value ?? curatorCodec(), path), curatorCodec()),
}

function readBasePath(value: unknown, path: string): string {
  if (typeof value !== 'string')
    throw new ZookeeperError('config-invalid', `${path}: expected the path of a node`)
  checkPath(value, path)
  return value
}

function readCodec(value: unknown, path: string): InstanceCodec {
  const { encode, decode } = value as Partial<InstanceCodec>
  if (typeof encode === 'function' && typeof decode === 'function') return value as InstanceCodec
  throw new ZookeeperError(
    'config-invalid',
    `${path}: expected curatorCodec(), springCodec() or another codec`,
  )
}

/** The current registrations and views. */
export interface DiscoveryHealth {
  readonly registrations: readonly {
    readonly path: string
    readonly state: RegistrationState['kind']
    /** Why it is not registered; undefined when it is registered or no reason is known. */
    readonly reason: Error | undefined
  }[]
  readonly services: readonly {
    readonly name: string
    readonly state: ServiceViewState
    /** Why its list cannot be read, or an instance is missing from it; undefined when no reason is known. */
    readonly reason: Error | undefined
    /** The number of listed instances. */
    readonly instances: number
    /** The number of nodes that do not contain an instance. */
    readonly undecodable: number
  }[]
}
