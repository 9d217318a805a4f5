import { type Events, systemClock } from '@ha/core'
import { type Assembly, assemble, type ZookeeperParts } from './assembly.ts'
import { type Cache, type CacheOptions, openCache } from './cache/cache.ts'
import { socketDial } from './connection/socket.ts'
import { Discovery, type DiscoveryOptions } from './discovery/discovery.ts'
import type { CacheDecoder } from './discovery/discovery-context.ts'
import { endOf } from './ending.ts'
import type { ZookeeperEvents } from './events.ts'
import { type ZookeeperHealth, zookeeperHealth } from './health.ts'
import type { Acl, Bytes, Children, Created, Node, Stat, WatchEvent } from './node.ts'
import { resolveCall, resolveTimeout } from './operations/call-options.ts'
import type {
  CallOptions,
  Change,
  Changed,
  CreateOptions,
  Operations,
  VersionOptions,
  WriteOptions,
} from './operations/operations.ts'
import { type ResolvedOptions, resolveZookeeperOptions, type ZookeeperOptions } from './options.ts'
import { probeServer, type ServerHealth } from './probe.ts'
import { type Counter, counter } from './recipes/counter.ts'
import { type Barrier, barrier } from './recipes/double-barrier.ts'
import { type Election, type ElectionOptions, election } from './recipes/election.ts'
import type { Ephemeral, EphemeralOptions } from './recipes/ephemeral.ts'
import { type Lock, type LockOptions, lock } from './recipes/lock.ts'
import { type RwLock, rwLock } from './recipes/read-write-lock.ts'
import { type Semaphore, semaphore } from './recipes/semaphore.ts'
import type { LiveSession } from './session/live-session.ts'
import type { ZookeeperState } from './state.ts'
import { type WatchOptions, watchNode } from './watching.ts'
import { type BelowEvent, watchBelow } from './watching-below.ts'
import { within } from './within.ts'
import { ZookeeperError } from './zookeeper-error.ts'

/**
 * A client of a ZooKeeper ensemble. Returns at once; the first call begins to dial. Throws `config-invalid` when an
 * option cannot be used.
 */
export function createZookeeper(options: string | ZookeeperOptions): Zookeeper {
  return new Zookeeper(resolveZookeeperOptions(options), { clock: systemClock, random: Math.random })
}

// How long `ready()` waits when the caller does not say.
const readyMs = 30_000

// How long `close()` may take: what cannot be ended in this time is left to the servers, which end it by its timeout.
const closeMs = 2_000

/** One client of an ensemble: one session after the other, each over one connection after the other. */
export class Zookeeper implements Operations, AsyncDisposable {
  readonly #options: ResolvedOptions
  readonly #parts: ZookeeperParts
  readonly #assembly: Assembly
  #closing: Promise<void> | undefined

  /** Use {@link createZookeeper}; tests give parts of their own. */
  constructor(options: ResolvedOptions, parts: ZookeeperParts) {
    this.#options = options
    this.#parts = parts
    this.#assembly = assemble(options, parts)
  }

  /** What happens: `state`, `failover`, `sessionLost`, `outcomeUnknown` and others. */
  get events(): Events<ZookeeperEvents> {
    return this.#assembly.telling.events
  }

  get state(): ZookeeperState {
    return this.#assembly.telling.state
  }

  /** The session that there is; also while its connection is lost, until it is over for us. */
  get session(): LiveSession | undefined {
    return this.#assembly.sessions.current
  }

  /**
   * Resolves with the session when operations run. Rejects by default after 30 s, with the reason; the client goes on
   * trying either way.
   */
  async ready(options?: CallOptions): Promise<LiveSession> {
    const call = resolveCall('ready', options, readyMs)
    const { sessions, link, ground } = this.#assembly
    const expired = (): ZookeeperError => {
      const trouble = link.trouble()
      const why = trouble === undefined ? '' : `: ${trouble.message}`
      const message = `not ready within ${call.timeoutMs} ms${why}`
      return new ZookeeperError('timed-out', message, { retryable: true, cause: trouble })
    }
    const limits = { what: 'ready', path: '/', call, expired }
    return within(ground, limits, (signal) => sessions.live(signal))
  }

  create(path: string, data?: Bytes, options?: CreateOptions): Promise<Created> {
    return this.#assembly.operations.create(path, data, options)
  }

  get(path: string, options?: CallOptions): Promise<Node | undefined> {
    return this.#assembly.operations.get(path, options)
  }

  exists(path: string, options?: CallOptions): Promise<Stat | undefined> {
    return this.#assembly.operations.exists(path, options)
  }

  children(path: string, options?: CallOptions): Promise<Children | undefined> {
    return this.#assembly.operations.children(path, options)
  }

  set(path: string, data: Bytes, options?: WriteOptions): Promise<Stat> {
    return this.#assembly.operations.set(path, data, options)
  }

  delete(path: string, options?: DeleteOptions): Promise<boolean> {
    return this.#assembly.operations.delete(path, options)
  }

  multi(changes: readonly Change[], options?: CallOptions): Promise<readonly Changed[]> {
    return this.#assembly.operations.multi(changes, options)
  }

  sync(path?: string, options?: CallOptions): Promise<void> {
    return this.#assembly.operations.sync(path, options)
  }

  acl(path: string, options?: CallOptions): Promise<readonly Acl[] | undefined> {
    return this.#assembly.operations.acl(path, options)
  }

  setAcl(path: string, acl: readonly Acl[], options?: VersionOptions): Promise<Stat> {
    return this.#assembly.operations.setAcl(path, acl, options)
  }

  /** Tells that a node has changed, for as long as it is iterated: read it after each event. */
  watch(path: string, options: WatchOptions): AsyncGenerator<WatchEvent, void> {
    return watchNode(this.#assembly.ground, path, options)
  }

  /**
   * Tells of every change at and below a node, with one watch that stays; `missed`, which also is the first event, says
   * that all is to be read.
   */
  watchBelow(path: string, options?: Pick<CallOptions, 'signal'>): AsyncGenerator<BelowEvent, void> {
    return watchBelow(this.#assembly.ground, this.#assembly.watches, path, options)
  }

  /** Follows a node, its children, or everything below it: what is known is always there to be read. */
  cache(path: string, options?: CacheOptions<Buffer>): Cache<Buffer>
  cache<T>(path: string, options: CacheOptions<T> & CacheDecoder<T>): Cache<T>
  cache(path: string, options?: CacheOptions<unknown>): Cache<unknown> {
    return openCache(this.#assembly.ground, path, options as CacheOptions<unknown> & CacheDecoder<unknown>)
  }

  /** Keeps a node that is there while this client is: made again in each session, and never a stranger’s. */
  ephemeral(path: string, data: Bytes | (() => Bytes), options?: EphemeralOptions): Ephemeral {
    return this.#assembly.ephemerals.open(path, data, options)
  }

  lock(path: string, options?: LockOptions): Lock {
    return lock(this.#assembly.ground, path, options)
  }

  rwLock(path: string, options?: LockOptions): RwLock {
    return rwLock(this.#assembly.ground, path, options)
  }

  semaphore(path: string, seats: number, options?: LockOptions): Semaphore {
    return semaphore(this.#assembly.ground, path, seats, options)
  }

  election(path: string, options: ElectionOptions): Election {
    return election(this.#assembly.ground, path, options)
  }

  counter(path: string): Counter {
    return counter(this.#assembly.ground, path)
  }

  barrier(path: string, size: number): Barrier {
    return barrier(this.#assembly.ground, path, size)
  }

  /** Registers instances of services and finds those of others, readable by Curator and Spring Cloud. */
  discovery(options?: DiscoveryOptions): Discovery {
    const { ground, ephemerals } = this.#assembly
    return new Discovery(
      {
        ...ground,
        reserve: (path) => ephemerals.reserve(path),
        cache: (path, more) => openCache(ground, path, more),
      },
      options,
    )
  }

  /** Asks each server what it says of itself, side by side. Rejects for nothing that a server does. */
  async probe(options: Pick<CallOptions, 'timeoutMs'> = {}): Promise<readonly ServerHealth[]> {
    const timeoutMs = resolveTimeout('probe', options, this.#options.connectTimeoutMs)
    const dial = this.#parts.dial ?? socketDial(this.#options.tls)
    const { clock } = this.#parts
    const { endpoints } = this.#options.servers
    return Promise.all(endpoints.map((endpoint) => probeServer(dial, clock, endpoint, timeoutMs)))
  }

  /** What the client believes and does, as plain data. */
  health(): ZookeeperHealth {
    return zookeeperHealth(this.#assembly, this.#options)
  }

  /**
   * Ends everything that the client holds, and its session on the servers when one can be reached; at the latest after
   * 2 s. Idempotent; never rejects.
   */
  close(): Promise<void> {
    this.#closing ??= endOf(this.#assembly, closeMs)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** How a node is deleted. */
export interface DeleteOptions extends WriteOptions {
  /** With everything below it, from the leaves up. Default false. */
  readonly recursive?: boolean | undefined
}
