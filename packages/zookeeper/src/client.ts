import { type Events, type LinkHealth, systemClock } from '@ha/core'
import { type Connect, connectSocket, requireFactory } from '@ha/core/driver'
import { type Cache, type CacheOptions, openCache } from './cache/cache.ts'
import type { ZookeeperEvents, ZookeeperState } from './client-state.ts'
import { type ClientContext, runWithinCall } from './context.ts'
import { assembleClient, type ClientComponents, type ClientDeps } from './create-client.ts'
import { Discovery, type DiscoveryOptions } from './discovery/discovery.ts'
import type { CacheDecoder } from './discovery/discovery-context.ts'
import { ZookeeperError } from './errors.ts'
import type { Acl, Bytes, Children, Created, Node, Stat, WatchEvent } from './node.ts'
import { resolveCall, resolveTimeout } from './operations/call-options.ts'
import type {
  CallOptions,
  CreateOptions,
  Operations,
  VersionOptions,
  WriteOptions,
} from './operations/operations.ts'
import { type ResolvedOptions, resolveZookeeperOptions, type ZookeeperOptions } from './options.ts'
import type { Change, Changed } from './protocol/multi.ts'
import { formatSessionId } from './protocol/packets.ts'
import { type Counter, counter } from './recipes/counter.ts'
import { type Barrier, barrier } from './recipes/double-barrier.ts'
import { type Election, type ElectionOptions, election } from './recipes/election.ts'
import type { Ephemeral, EphemeralOptions } from './recipes/ephemeral.ts'
import { type Lock, type LockOptions, lock } from './recipes/lock.ts'
import { type RwLock, rwLock } from './recipes/read-write-lock.ts'
import { type Semaphore, semaphore } from './recipes/semaphore.ts'
import { fetchServerStatus, type ServerHealth } from './server-status.ts'
import type { LiveSession } from './session/session.ts'
import {
  type RecursiveWatchEvent,
  type WatchOptions,
  watchNode,
  watchRecursive,
} from './watches/watch-iterators.ts'

/**
 * Creates a client of a ZooKeeper ensemble and returns at once; the first call begins to dial. Throws `config-invalid`
 * when an option cannot be used.
 */
export function createZookeeper(options: string | ZookeeperOptions): Zookeeper {
  return new Zookeeper(resolveZookeeperOptions(options), { clock: systemClock, random: Math.random })
}

// How long `ready()` waits by default.
const readyMs = 30_000

// How long `close()` may take. A session that could not be closed in this time ends by its timeout.
const closeMs = 2_000

/** A client of an ensemble. It has one session at a time, over one connection at a time. */
export class Zookeeper implements Operations, AsyncDisposable {
  readonly #options: ResolvedOptions
  readonly #deps: ClientDeps
  readonly #components: ClientComponents
  readonly #context: ClientContext
  readonly #operations: Operations

  /** Use {@link createZookeeper}; tests pass their own dependencies. */
  constructor(options: ResolvedOptions, deps: ClientDeps) {
    requireFactory(deps, 'createZookeeper')
    this.#options = options
    this.#deps = deps
    this.#components = assembleClient(options, deps)
    this.#context = this.#components.context
    this.#operations = this.#context.operations
  }

  /** The events: `state`, `failover`, `sessionLost`, `outcomeUnknown` and others. */
  get events(): Events<ZookeeperEvents> {
    return this.#components.tracker.events
  }

  /** The state of the client: whether it is connected, and whether its session lives. */
  get state(): ZookeeperState {
    return this.#components.tracker.state
  }

  /** The current session; also while its connection is lost, until the client gives the session up. */
  get session(): LiveSession | undefined {
    return this.#components.sessions.current
  }

  /**
   * Resolves with the session when operations can run. Rejects after 30 s by default, with the reason; the client goes
   * on dialling in both cases.
   */
  async ready(options?: CallOptions): Promise<LiveSession> {
    const call = resolveCall('ready', options, readyMs)
    const { sessions, link } = this.#context
    const expired = (): ZookeeperError => {
      const trouble = link.unavailableReason()
      const why = trouble === undefined ? '' : `: ${trouble.message}`
      const message = `not ready within ${call.timeoutMs} ms${why}`
      return new ZookeeperError('timed-out', message, { retryable: true, cause: trouble })
    }
    const limits = { what: 'ready', path: '/', call, expired }
    return runWithinCall(this.#context, limits, (signal) => sessions.waitForSession(signal))
  }

  /** Creates a node. See {@link Operations.create}. */
  create(path: string, data?: Bytes, options?: CreateOptions): Promise<Created> {
    return this.#operations.create(path, data, options)
  }

  /** Reads the data and the stat of a node. See {@link Operations.get}. */
  get(path: string, options?: CallOptions): Promise<Node | undefined> {
    return this.#operations.get(path, options)
  }

  /** Reads the stat of a node. See {@link Operations.exists}. */
  exists(path: string, options?: CallOptions): Promise<Stat | undefined> {
    return this.#operations.exists(path, options)
  }

  /** Reads the names of the children of a node. See {@link Operations.children}. */
  children(path: string, options?: CallOptions): Promise<Children | undefined> {
    return this.#operations.children(path, options)
  }

  /** Sets the data of a node. See {@link Operations.set}. */
  set(path: string, data: Bytes, options?: WriteOptions): Promise<Stat> {
    return this.#operations.set(path, data, options)
  }

  /** Deletes a node. See {@link Operations.delete}. */
  delete(path: string, options?: DeleteOptions): Promise<boolean> {
    return this.#operations.delete(path, options)
  }

  /** Makes several changes or none. See {@link Operations.multi}. */
  multi(changes: readonly Change[], options?: CallOptions): Promise<readonly Changed[]> {
    return this.#operations.multi(changes, options)
  }

  /** Lets the connected server catch up with the leader. See {@link Operations.sync}. */
  sync(path?: string, options?: CallOptions): Promise<void> {
    return this.#operations.sync(path, options)
  }

  /** Reads the ACL of a node. See {@link Operations.acl}. */
  acl(path: string, options?: CallOptions): Promise<readonly Acl[] | undefined> {
    return this.#operations.acl(path, options)
  }

  /** Sets the ACL of a node. See {@link Operations.setAcl}. */
  setAcl(path: string, acl: readonly Acl[], options?: VersionOptions): Promise<Stat> {
    return this.#operations.setAcl(path, acl, options)
  }

  /** Iterates over the changes of a node: read it after each event. */
  watch(path: string, options: WatchOptions): AsyncGenerator<WatchEvent, void> {
    return watchNode(this.#context, path, options)
  }

  /**
   * Iterates over every change at and below a node, with one persistent recursive watch. The event `missed`, which is
   * also the first one, means that events may have been lost: read everything.
   */
  watchRecursive(
    path: string,
    options?: Pick<CallOptions, 'signal'>,
  ): AsyncGenerator<RecursiveWatchEvent, void> {
    return watchRecursive(this.#context, this.#components.watches, path, options)
  }

  /** @deprecated Use {@link watchRecursive}. */
  watchBelow(path: string, options?: Pick<CallOptions, 'signal'>): AsyncGenerator<RecursiveWatchEvent, void> {
    return this.watchRecursive(path, options)
  }

  /** Follows a node, its children, or the tree below it. The last known state can be read at any time. */
  cache(path: string, options?: CacheOptions<Buffer>): Cache<Buffer>
  cache<T>(path: string, options: CacheOptions<T> & CacheDecoder<T>): Cache<T>
  cache(path: string, options?: CacheOptions<unknown>): Cache<unknown> {
    return openCache(this.#context, path, options as CacheOptions<unknown> & CacheDecoder<unknown>)
  }

  /**
   * Keeps an ephemeral node: it is created again in each session, and a node of another client is never touched.
   */
  ephemeral(path: string, data: Bytes | (() => Bytes), options?: EphemeralOptions): Ephemeral {
    return this.#components.ephemerals.open(path, data, options)
  }

  /** A lock with one holder at a time. */
  lock(path: string, options?: LockOptions): Lock {
    return lock(this.#context, path, options)
  }

  /** A lock with one writer or several readers at a time. */
  rwLock(path: string, options?: LockOptions): RwLock {
    return rwLock(this.#context, path, options)
  }

  /** A lock with a limited number of holders at a time. */
  semaphore(path: string, permits: number, options?: LockOptions): Semaphore {
    return semaphore(this.#context, path, permits, options)
  }

  /** An election of one leader among its candidates. */
  election(path: string, options: ElectionOptions): Election {
    return election(this.#context, path, options)
  }

  /** A number that several clients change. */
  counter(path: string): Counter {
    return counter(this.#context, path)
  }

  /** A double barrier: its members begin together and end together. */
  barrier(path: string, size: number): Barrier {
    return barrier(this.#context, path, size)
  }

  /** Registers instances of services and finds those of other processes. Readable by Curator and Spring Cloud. */
  discovery(options?: DiscoveryOptions): Discovery {
    const { context, ephemerals } = this.#components
    return new Discovery(
      {
        ...context,
        reserve: (path) => ephemerals.reserve(path),
        cache: (path, more) => openCache(context, path, more),
      },
      options,
    )
  }

  /** Asks every server for its status, in parallel. Errors of servers are in the results. */
  async probe(options: Pick<CallOptions, 'timeoutMs'> = {}): Promise<readonly ServerHealth[]> {
    const timeoutMs = resolveTimeout('probe', options, this.#options.connectTimeoutMs)
    const { servers, tls } = this.#options
    const { clock, dial } = this.#deps
    const connect: Connect = dial ?? ((endpoint, signal) => connectSocket(endpoint, tls, signal))
    return Promise.all(
      servers.endpoints.map((endpoint) => fetchServerStatus(connect, clock, endpoint, timeoutMs)),
    )
  }

  /** The state of the client as plain data. */
  health(): ZookeeperHealth {
    return clientHealth(this.#components, this.#options)
  }

  /**
   * Ends everything that the client holds, and closes its session on the servers if one of them can be reached, within
   * 2 s. Idempotent; never rejects.
   */
  close(): Promise<void> {
    return this.#components.lifecycle.close(closeMs)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Options of a delete. */
export interface DeleteOptions extends WriteOptions {
  /** Also deletes the tree below the node, from the leaves up. Default false. */
  readonly recursive?: boolean | undefined
}

/** The state of a client as plain data, as the admin page shows it. */
export interface ZookeeperHealth {
  readonly state: ZookeeperState
  readonly session:
    | {
        /** As the servers write it, such as `0x100a2b3c4d50000`. */
        readonly id: string
        /** 1 for the first session of the client, one more for each after it. */
        readonly epoch: number
        readonly askedMs: number
        readonly timeoutMs: number
        /** For how many milliseconds from now the session is certain. */
        readonly certainForMs: number
      }
    | undefined
  readonly connection: LinkHealth
  /** The number of watched nodes, counted for each kind of watch. */
  readonly watches: number
  /** The number of operations that are under way or wait for a connection. */
  readonly operations: number
}

function clientHealth(components: ClientComponents, { sessionTimeoutMs }: ResolvedOptions): ZookeeperHealth {
  const { tracker, sessions, watches, executor, context } = components
  const { current } = sessions
  return {
    state: tracker.state,
    session: current && {
      id: formatSessionId(current.id),
      epoch: current.epoch,
      askedMs: sessionTimeoutMs,
      timeoutMs: current.timeoutMs,
      certainForMs: Math.max(0, current.certainUntilMs - context.clock.now()),
    },
    connection: context.link.health(),
    watches: watches.size,
    operations: executor.active,
  }
}
