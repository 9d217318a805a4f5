import { AsyncLocalStorage } from 'node:async_hooks'
import { linkedController } from '@ha/core/driver'
import { type CallWait, type ClientContext, retryUntilAborted, runWithinCall } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import { type CallLimits, checkFunction, resolveCall, resolveTimeout } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath, childOf, parentOf } from '../operations/paths.ts'
import { createLockNode, type Lease, type LockNode, leasesOf, waitForPredecessor } from './lock-node.ts'
import { exclusive, type LockQueue, positionOf, type QueuePosition } from './lock-order.ts'

/** The options of locks, read-write locks and semaphores. */
export interface LockOptions {
  /** The timeout of calls without their own, in milliseconds. Default: `operationTimeoutMs` of the client. */
  readonly timeoutMs?: number | undefined
}

/** A lock with one or several holders. Waiting clients are served in the order in which they came. */
export interface Lock {
  /** The parent of the nodes of the holders and of the waiting clients. */
  readonly path: string
  /**
   * Waits for the lock. Rejects with `timed-out` when the lock is not acquired in time, and leaves the queue then. While
   * the connection is lost, the node is deleted later.
   */
  acquire(options?: CallOptions): Promise<Lease>
  /** Acquires the lock if it is free; otherwise undefined. */
  tryAcquire(options?: CallOptions): Promise<Lease | undefined>
  /**
   * Runs `fn` while this client holds the lock, and releases it afterwards. `fn` must stop when the signal of its lease
   * fires. Before each protected action it must check `valid()` or pass on the fencing token: the client cannot stop it.
   * A lock is not reentrant: a `run` inside `fn` that waits for the same lock waits for itself, which the event `defect`
   * says at once, and the error when the time is up.
   */
  run<T>(fn: (lease: Lease) => Promise<T>, options?: CallOptions): Promise<T>
}

/** A lock with one holder at a time. */
export function lock(context: ClientContext, path: string, options: LockOptions = {}): Lock {
  checkPath(path, 'lock')
  const queue = { folder: path, kind: 'lock', data: '', order: exclusive, what: `the lock ${path}` }
  return new QueueLock(context, queue, resolveTimeout('lock', options, context.operationTimeoutMs))
}

/** A {@link Lock} whose queue decides who holds it. `timeoutMs` is the timeout of calls without their own. */
export class QueueLock implements Lock {
  readonly #context: ClientContext
  readonly #queue: LockQueue
  readonly #timeoutMs: number

  constructor(context: ClientContext, queue: LockQueue, timeoutMs: number) {
    this.#context = context
    this.#queue = queue
    this.#timeoutMs = timeoutMs
  }

  get path(): string {
    return this.#queue.folder
  }

  async acquire(options?: CallOptions): Promise<Lease> {
    return this.#acquire(options)
  }

  async #acquire(options: CallOptions | undefined): Promise<LockNode> {
    return acquire(this.#context, this.#queue, resolveCall('acquire', options, this.#timeoutMs))
  }

  async tryAcquire(options?: CallOptions): Promise<Lease | undefined> {
    return tryAcquire(this.#context, this.#queue, resolveCall('tryAcquire', options, this.#timeoutMs))
  }

  async run<T>(fn: (lease: Lease) => Promise<T>, options?: CallOptions): Promise<T> {
    checkFunction(`run of ${this.#queue.what}`, this.path, fn)
    const lease = await this.#acquire(options)
    try {
      return await holding(lease, () => fn(lease))
    } finally {
      await lease.release()
    }
  }
}

// The leases that the callbacks around the current one hold, from the outermost.
const outerLeases = new AsyncLocalStorage<readonly LockNode[]>()

/** Calls `fn`, in whose asynchronous context the lease counts as held. */
export function holding<T>(lease: LockNode, fn: () => Promise<T>): Promise<T> {
  return outerLeases.run([...(outerLeases.getStore() ?? []), lease], fn)
}

/** Is informed about a wait. */
export interface WaitObserver {
  /** The client has a node in the queue. */
  onQueued?(): void
  /** The callback that holds the lock waits for itself. The wait goes on: the callback may end without this one. */
  onSelfWait?(error: Error): void
}

/** Queues until this client holds the lock. When the wait ends without it, the node is deleted. */
export async function acquire(
  context: ClientContext,
  queue: LockQueue,
  call: CallLimits,
  observer: WaitObserver = {},
): Promise<LockNode> {
  const outer = outerLeases.getStore() ?? []
  let last: QueuePosition | undefined
  let selfWait: ZookeeperError | undefined
  const onPosition = (position: QueuePosition): void => {
    last = position
    observer.onQueued?.()
    if (position.kind !== 'waiting' || selfWait !== undefined || !isSelfWait(queue, outer)) return
    selfWait = selfWaitError(queue)
    context.reportDefect(queue.what, selfWait)
    observer.onSelfWait?.(selfWait)
  }
  const expired = (): Error =>
    timedOut(context, queue, call, last, context.link.unavailableReason() ?? selfWait)
  const wait = async (signal: AbortSignal): Promise<LockNode> => {
    for (;;) {
      const node = await createLockNode(context, queue, signal)
      const position = await releaseOnFailure(node, () =>
        waitUntilGranted(context, queue, node, { signal, onPosition }),
      )
      if (position === 'granted' && (await releaseOnFailure(node, () => node.hold(signal)))) return node
      await node.release()
    }
  }
  return runWithinCall(context, waitLimits(queue, call, expired), wait, releaseLate)
}

// Every node behind those of the outer callbacks waits until these have ended, also when others are in between.
function isSelfWait({ folder, permits = 1 }: LockQueue, outer: readonly LockNode[]): boolean {
  const own = outer.filter(({ path, signal }) => parentOf(path) === folder && !signal.aborted)
  return own.length >= permits
}

function selfWaitError({ what, folder }: LockQueue): ZookeeperError {
  const message = `${what} is held by the callback that waits for it, which waits for itself: locks are not reentrant`
  return new ZookeeperError('config-invalid', message, { path: folder })
}

/** Queues, and deletes the node again unless the lock is granted at once. */
async function tryAcquire(
  context: ClientContext,
  queue: LockQueue,
  call: CallLimits,
): Promise<LockNode | undefined> {
  const expired = (): Error => timedOut(context, queue, call, undefined, context.link.unavailableReason())
  const attempt = async (signal: AbortSignal): Promise<LockNode | undefined> => {
    const node = await createLockNode(context, queue, signal)
    const position = await releaseOnFailure(node, () => readPosition(context, queue, node, signal))
    if (position.kind === 'granted' && (await releaseOnFailure(node, () => node.hold(signal)))) return node
    await node.release()
    return undefined
  }
  return runWithinCall(context, waitLimits(queue, call, expired), attempt, releaseLate)
}

interface PositionWait {
  readonly signal: AbortSignal
  /** Called with each position that is read. */
  readonly onPosition: (position: QueuePosition) => void
}

/** Waits for one predecessor after another, until the lock is granted or this node cannot get it any more. */
async function waitUntilGranted(
  context: ClientContext,
  queue: LockQueue,
  node: LockNode,
  { signal, onPosition }: PositionWait,
): Promise<Exclude<QueuePosition['kind'], 'waiting'>> {
  const scope = linkedController(signal, node.signal)
  try {
    for (;;) {
      const position = await readPosition(context, queue, node, scope.signal)
      onPosition(position)
      if (position.kind !== 'waiting') return position.kind
      await waitForPredecessor(context, queue.folder, position.predecessors, scope.signal)
    }
  } catch (thrown) {
    if (signal.aborted || !node.signal.aborted) throw thrown
    return 'missing'
  } finally {
    scope.unlink()
  }
}

/** Reads the position of the node in its queue. */
async function readPosition(
  context: ClientContext,
  { folder, order, verify }: LockQueue,
  node: LockNode,
  signal: AbortSignal,
): Promise<QueuePosition> {
  const { operations } = context
  // Sent together on one connection: when the children arrive, the other answers have arrived as well.
  const [, , children] = await Promise.all([
    verify?.(signal),
    needsSync(node)
      ? retryUntilAborted(context, signal, (options) => operations.sync(folder, options))
      : undefined,
    retryUntilAborted(context, signal, (options) => operations.children(folder, options)),
  ])
  return positionOf(children?.names ?? [], node.name, order)
}

// After a long wait, only the client's own server has confirmed the session. A granted lock is useful only when the
// leader has confirmed it as well, and the `sync` makes the leader do so.
function needsSync({ certainForMs, session }: LockNode): boolean {
  return certainForMs < session.timeoutMs / 3
}

// A failed wait leaves the queue, and does not wait for the deletion: the caller gets the error at once.
async function releaseOnFailure<T>(node: LockNode, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    void node.release()
    throw thrown
  }
}

// A node that is created after the deadline is deleted.
function releaseLate(late: LockNode | undefined): void {
  void late?.release()
}

function waitLimits({ what, folder }: LockQueue, call: CallLimits, expired: () => Error): CallWait {
  return { what, path: folder, call, expired }
}

function timedOut(
  context: ClientContext,
  { what, folder }: LockQueue,
  { timeoutMs }: CallLimits,
  last: QueuePosition | undefined,
  cause: Error | undefined,
): ZookeeperError {
  const why = cause === undefined ? queueReason(context, folder, last) : `: ${cause.message}`
  const message = `${what} was not acquired within ${timeoutMs} ms${why}`
  return new ZookeeperError('timed-out', message, { path: folder, retryable: true, cause })
}

function queueReason(context: ClientContext, folder: string, position: QueuePosition | undefined): string {
  if (position?.kind !== 'waiting') return ''
  const [nearest = ''] = position.predecessors.slice(-1)
  const path = childOf(folder, nearest)
  const owner = leasesOf(context).has(path) ? ', which this client holds itself' : ''
  return `: ${position.ahead} ahead in the queue, the nearest is ${path}${owner}`
}
