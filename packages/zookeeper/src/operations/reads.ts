import { ZookeeperError } from '../errors.ts'
import type { Acl, Children, Node, Stat } from '../node.ts'
import {
  exists as existsAt,
  getAcl,
  getChildren,
  getData,
  getSomeChildren,
  type Request,
  sync,
} from '../protocol/requests.ts'
import type { WatchKind, WatchListener } from '../watches/watch-table.ts'
import type { Watches } from '../watches/watches.ts'
import { CallDeadline, type CallLimits, resolveCall } from './call-options.ts'
import type { CallOptions, Watched, WatchedReads } from './operations.ts'
import { checkPath } from './paths.ts'
import type { RequestExecutor } from './request-executor.ts'

/** Dependencies of {@link Reads}. */
export interface ReadsDeps {
  readonly executor: RequestExecutor
  readonly watches: Watches
  readonly timeoutMs: number
}

/** Operations without an effect: repeated at the next server when the reply is lost. */
export class Reads implements WatchedReads {
  readonly #deps: ReadsDeps

  constructor(deps: ReadsDeps) {
    this.#deps = deps
  }

  /** Reads without a watch. */
  readonly plain: PlainReads = {
    get: async (path, options) => this.#read('get', path, this.#call('get', path, options), getData),
    exists: async (path, options) =>
      this.#read('exists', path, this.#call('exists', path, options), existsAt),
    children: async (path, options) =>
      this.#read('children', path, this.#call('children', path, options), getChildren),
    acl: async (path, options) => {
      const read = await this.#read('acl', path, this.#call('acl', path, options), getAcl)
      return read?.acl
    },
  }

  /** The children, or the first of them when the list exceeds the limit of a reply. */
  someChildren(path: string, call: CallLimits): Promise<readonly string[] | undefined> {
    return this.#read('children', path, call, getSomeChildren)
  }

  async sync(path: string, options?: CallOptions): Promise<void> {
    const call = this.#call('sync', path, options)
    const { executor } = this.#deps
    await executor.execute(sync(executor.chroot.toServer(path)), {
      name: 'sync',
      path,
      call,
      effect: 'none',
    })
  }

  async get(path: string, onEvent: WatchListener, options?: CallOptions): Promise<Watched<Node | undefined>> {
    return this.#readAndWatch('get', 'data', path, onEvent, options, getData)
  }

  async exists(
    path: string,
    onEvent: WatchListener,
    options?: CallOptions,
  ): Promise<Watched<Stat | undefined>> {
    const call = this.#call('exists', path, options)
    return this.#existsAndWatch('exists', path, onEvent, call)
  }

  async children(
    path: string,
    onEvent: WatchListener,
    options?: CallOptions,
  ): Promise<Watched<Children | undefined>> {
    return this.#readAndWatch('children', 'children', path, onEvent, options, getChildren)
  }

  // A server keeps no data watch for a node that does not exist: its creation is watched instead. When the node was
  // created in between, both steps are repeated.
  async #readAndWatch<T>(
    name: string,
    kind: WatchKind,
    path: string,
    onEvent: WatchListener,
    options: CallOptions | undefined,
    request: ReadRequest<T>,
  ): Promise<Watched<T | undefined>> {
    const { executor } = this.#deps
    const deadline = new CallDeadline(this.#call(name, path, options), () => executor.clock.now())
    for (;;) {
      const read = await this.#withWatch(kind, path, onEvent, () =>
        this.#read(name, path, deadline.remaining, request, true),
      )
      if (read.value !== undefined) return read
      read.unwatch()
      const missing = await this.#existsAndWatch(name, path, onEvent, deadline.remaining)
      if (missing.value === undefined) return { value: undefined, unwatch: missing.unwatch }
      missing.unwatch()
      deadline.check(`${name} ${path}`, path)
    }
  }

  #existsAndWatch(
    name: string,
    path: string,
    onEvent: WatchListener,
    call: CallLimits,
  ): Promise<Watched<Stat | undefined>> {
    return this.#withWatch('exists', path, onEvent, () => this.#read(name, path, call, existsAt, true))
  }

  // The listener is added before the reply arrives: an event may come in the same packet.
  async #withWatch<T>(
    kind: WatchKind,
    path: string,
    onEvent: WatchListener,
    read: () => Promise<T>,
  ): Promise<Watched<T>> {
    const watch = this.#deps.watches.add(kind, path, onEvent)
    try {
      const value = await read()
      // The servers watch an existing node for changes, and a missing one for its creation.
      if (value !== undefined) watch.nodeFound()
      return { value, unwatch: watch.end }
    } catch (error) {
      watch.end()
      throw error
    }
  }

  async #read<T>(
    name: string,
    path: string,
    call: CallLimits,
    request: ReadRequest<T>,
    watch = false,
  ): Promise<T | undefined> {
    const { executor } = this.#deps
    try {
      return await executor.execute(request(executor.chroot.toServer(path), watch), {
        name,
        path,
        call,
        effect: 'none',
      })
    } catch (error) {
      if (error instanceof ZookeeperError && error.code === 'no-node') return undefined
      throw error
    }
  }

  #call(name: string, path: string, options: CallOptions | undefined): CallLimits {
    checkPath(path)
    return resolveCall(name, options, this.#deps.timeoutMs)
  }
}

type ReadRequest<T> = (path: string, watch: boolean) => Request<T>

interface PlainReads {
  get(path: string, options?: CallOptions): Promise<Node | undefined>
  exists(path: string, options?: CallOptions): Promise<Stat | undefined>
  children(path: string, options?: CallOptions): Promise<Children | undefined>
  acl(path: string, options?: CallOptions): Promise<readonly Acl[] | undefined>
}
