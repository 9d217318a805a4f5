import { exists as existsAt, getAcl, getChildren, getData, sync } from '../driver/read-requests.ts'
import type { Request } from '../driver/request.ts'
import type { Acl, Children, Node, Stat } from '../node.ts'
import type { WatchKind, WatchListener } from '../watches/watch-table.ts'
import type { Watches } from '../watches/watches.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import type { Asking } from './asking.ts'
import { type Call, Remaining, resolveCall } from './call-options.ts'
import type { CallOptions, Watched, WatchedReads } from './operations.ts'
import { checkPath } from './paths.ts'

export interface ReadsParts {
  readonly asking: Asking
  readonly watches: Watches
  readonly timeoutMs: number
}

/** Everything that changes nothing: asked again on the next server when an answer is lost. */
export class Reads implements WatchedReads {
  readonly #parts: ReadsParts

  constructor(parts: ReadsParts) {
    this.#parts = parts
  }

  /** Reads without a watch. */
  readonly plain: Plain = {
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

  async sync(path: string, options?: CallOptions): Promise<void> {
    const call = this.#call('sync', path, options)
    const { asking } = this.#parts
    await asking.ask(sync(asking.chroot.above(path)), { name: 'sync', path, call, changes: 'nothing' })
  }

  async get(path: string, onEvent: WatchListener, options?: CallOptions): Promise<Watched<Node | undefined>> {
    return this.#watching('get', 'data', path, onEvent, options, getData)
  }

  async exists(
    path: string,
    onEvent: WatchListener,
    options?: CallOptions,
  ): Promise<Watched<Stat | undefined>> {
    const call = this.#call('exists', path, options)
    return this.#existing('exists', path, onEvent, call)
  }

  async children(
    path: string,
    onEvent: WatchListener,
    options?: CallOptions,
  ): Promise<Watched<Children | undefined>> {
    return this.#watching('children', 'children', path, onEvent, options, getChildren)
  }

  // A server keeps no watch for a node that it does not have: its making is watched instead, and when it was made in
  // between, everything begins anew.
  async #watching<T>(
    name: string,
    kind: WatchKind,
    path: string,
    onEvent: WatchListener,
    options: CallOptions | undefined,
    request: Reading<T>,
  ): Promise<Watched<T | undefined>> {
    const { asking } = this.#parts
    const remaining = new Remaining(this.#call(name, path, options), () => asking.clock.now())
    for (;;) {
      const read = await this.#leaving(kind, path, onEvent, () =>
        this.#read(name, path, remaining.call, request, true),
      )
      if (read.value !== undefined) return read
      read.unwatch()
      const made = await this.#existing(name, path, onEvent, remaining.call)
      if (made.value === undefined) return { value: undefined, unwatch: made.unwatch }
      made.unwatch()
      remaining.check(`${name} ${path}`, path)
    }
  }

  #existing(
    name: string,
    path: string,
    onEvent: WatchListener,
    call: Call,
  ): Promise<Watched<Stat | undefined>> {
    return this.#leaving('exists', path, onEvent, () => this.#read(name, path, call, existsAt, true))
  }

  // The listener is there before the answer is: an event may come in one piece with it.
  async #leaving<T>(
    kind: WatchKind,
    path: string,
    onEvent: WatchListener,
    read: () => Promise<T>,
  ): Promise<Watched<T>> {
    const watch = this.#parts.watches.add(kind, path, onEvent)
    try {
      const value = await read()
      // The servers watch what exists for its changes, and only what does not for being made.
      if (value !== undefined) watch.found()
      return { value, unwatch: watch.end }
    } catch (error) {
      watch.end()
      throw error
    }
  }

  async #read<T>(
    name: string,
    path: string,
    call: Call,
    request: Reading<T>,
    watch = false,
  ): Promise<T | undefined> {
    const { asking } = this.#parts
    try {
      return await asking.ask(request(asking.chroot.above(path), watch), {
        name,
        path,
        call,
        changes: 'nothing',
      })
    } catch (error) {
      if (error instanceof ZookeeperError && error.code === 'no-node') return undefined
      throw error
    }
  }

  #call(name: string, path: string, options: CallOptions | undefined): Call {
    checkPath(path)
    return resolveCall(name, options, this.#parts.timeoutMs)
  }
}

type Reading<T> = (path: string, watch: boolean) => Request<T>

interface Plain {
  get(path: string, options?: CallOptions): Promise<Node | undefined>
  exists(path: string, options?: CallOptions): Promise<Stat | undefined>
  children(path: string, options?: CallOptions): Promise<Children | undefined>
  acl(path: string, options?: CallOptions): Promise<readonly Acl[] | undefined>
}
