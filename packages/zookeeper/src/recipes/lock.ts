import { linkedController } from '@ha/core/driver'
import type { ClientContext } from '../context.ts'
import { type CallWait, retryUntilAborted, runWithinCall } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import { type CallLimits, resolveCall, resolveTimeout } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath, childOf } from '../operations/paths.ts'
import { createLockNode, type Lease, type LockNode, waitForPredecessor } from './lock-node.ts'
import { exclusive, type LockQueue, positionOf, type QueuePosition } from './lock-order.ts'

export interface LockOptions {
  /** How long a wait may take when the call does not say, in milliseconds. Default: `operationTimeoutMs` of the client. */
  readonly timeoutMs?: number | undefined
}

/** Something that is held by one, or by a few, and waited for by others: first come, first served. */
export interface Lock {
  /** The node below which those who hold it and those who wait stand in line. */
  readonly path: string
  /**
   * Waits until it is ours. Rejects with `timed-out` when that is not so in time, and leaves the line then, also when
   * the connection is away: what cannot be deleted now is deleted later.
   */
  acquire(options?: CallOptions): Promise<Lease>
  /** Undefined when it cannot be ours at once. */
  tryAcquire(options?: CallOptions): Promise<Lease | undefined>
  /**
   * Runs `fn` while it is ours, and gives it back. `fn` has to stop when the signal of its lease fires, and to ask
   * `valid()`, or to hand on the token, before it does what only one may do: nobody can stop it from outside.
   */
  run<T>(fn: (lease: Lease) => Promise<T>, options?: CallOptions): Promise<T>
}

/** A lock that one holds at a time. */
export function lock(ground: ClientContext, path: string, options: LockOptions = {}): Lock {
  checkPath(path, 'lock')
  const line = { folder: path, kind: 'lock', data: '', order: exclusive, what: `the lock ${path}` }
  return new QueueLock(ground, line, resolveTimeout('lock', options, ground.operationTimeoutMs))
}

/** A {@link Lock} on a line: its rule says who holds it. `timeoutMs` is for calls that say none. */
export class QueueLock implements Lock {
  readonly #ground: ClientContext
  readonly #queue: LockQueue
  readonly #timeoutMs: number

  constructor(ground: ClientContext, line: LockQueue, timeoutMs: number) {
    this.#ground = ground
    this.#queue = line
    this.#timeoutMs = timeoutMs
  }

  get path(): string {
    return this.#queue.folder
  }

  async acquire(options?: CallOptions): Promise<Lease> {
    return acquire(this.#ground, this.#queue, resolveCall('acquire', options, this.#timeoutMs))
  }

  async tryAcquire(options?: CallOptions): Promise<Lease | undefined> {
    return tryAcquire(this.#ground, this.#queue, resolveCall('tryAcquire', options, this.#timeoutMs))
  }

  async run<T>(fn: (lease: Lease) => Promise<T>, options?: CallOptions): Promise<T> {
    const lease = await this.acquire(options)
    try {
      return await fn(lease)
    } finally {
      await lease.release()
    }
  }
}

/** Stands in line until it is our turn. Whoever gives up leaves the line. */
export async function acquire(ground: ClientContext, line: LockQueue, call: CallLimits): Promise<LockNode> {
  let last: QueuePosition | undefined
  const onTurn = (turn: QueuePosition): void => {
    last = turn
  }
  const expired = (): Error => timedOut(line, call, last, ground.link.unavailableReason())
  const wait = async (signal: AbortSignal): Promise<LockNode> => {
    for (;;) {
      const place = await createLockNode(ground, line, signal)
      const turn = await releaseOnFailure(place, () =>
        waitUntilGranted(ground, line, place, { signal, onPosition: onTurn }),
      )
      if (turn === 'ours' && (await releaseOnFailure(place, () => place.hold(signal)))) return place
      await place.release()
    }
  }
  return runWithinCall(ground, waitLimits(line, call, expired), wait, releaseLate)
}

/** Stands in line, and leaves it when it is not our turn at once. */
async function tryAcquire(
  ground: ClientContext,
  line: LockQueue,
  call: CallLimits,
): Promise<LockNode | undefined> {
  const expired = (): Error => timedOut(line, call, undefined, ground.link.unavailableReason())
  const look = async (signal: AbortSignal): Promise<LockNode | undefined> => {
    const place = await createLockNode(ground, line, signal)
    const turn = await releaseOnFailure(place, () => readPosition(ground, line, place, signal))
    if (turn.kind === 'ours' && (await releaseOnFailure(place, () => place.hold(signal)))) return place
    await place.release()
    return undefined
  }
  return runWithinCall(ground, waitLimits(line, call, expired), look, releaseLate)
}

function waitLimits({ what, folder }: LockQueue, call: CallLimits, expired: () => Error): CallWait {
  return { what, path: folder, call, expired }
}

// A place that comes too late is given back.
function releaseLate(late: LockNode | undefined): void {
  void late?.release()
}

// What fails leaves the line, and nobody waits for that: whoever gave up wants to know now.
async function releaseOnFailure<T>(place: LockNode, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    void place.release()
    throw thrown
  }
}

function timedOut(
  { what, folder }: LockQueue,
  { timeoutMs }: CallLimits,
  last: QueuePosition | undefined,
  trouble: Error | undefined,
): ZookeeperError {
  const why = trouble === undefined ? queueReason(folder, last) : `: ${trouble.message}`
  const message = `${what} was not acquired within ${timeoutMs} ms${why}`
  return new ZookeeperError('timed-out', message, { path: folder, retryable: true, cause: trouble })
}

function queueReason(folder: string, turn: QueuePosition | undefined): string {
  if (turn?.kind !== 'behind') return ''
  const [nearest = ''] = turn.watched.slice(-1)
  return `: ${turn.ahead} must go first, the nearest is ${childOf(folder, nearest)}`
}

interface WaitOptions {
  readonly signal: AbortSignal
  /** Hears each time how we stand. */
  readonly onPosition: (turn: QueuePosition) => void
}

/** Looks, and waits for one of those in the way, until it is our turn, or with this place never will be. */
async function waitUntilGranted(
  ground: ClientContext,
  line: LockQueue,
  place: LockNode,
  { signal, onPosition: onTurn }: WaitOptions,
): Promise<Exclude<QueuePosition['kind'], 'behind'>> {
  const either = linkedController(signal, place.signal)
  try {
    for (;;) {
      const turn = await readPosition(ground, line, place, either.signal)
      onTurn(turn)
      if (turn.kind !== 'behind') return turn.kind
      await waitForPredecessor(ground, line.folder, turn.watched, either.signal)
    }
  } catch (thrown) {
    if (signal.aborted || !place.signal.aborted) throw thrown
    return 'gone'
  } finally {
    either.unlink()
  }
}

/** How we stand now. */
async function readPosition(
  ground: ClientContext,
  { folder, order: rule, verify: agree }: LockQueue,
  place: LockNode,
  signal: AbortSignal,
): Promise<QueuePosition> {
  const { operations } = ground
  // All in one breath: when the children are here, the others are as well.
  const [, , children] = await Promise.all([
    agree?.(signal),
    needsLeader(place)
      ? retryUntilAborted(ground, signal, (options) => operations.sync(folder, options))
      : undefined,
    retryUntilAborted(ground, signal, (options) => operations.children(folder, options)),
  ])
  return positionOf(children?.names ?? [], place.name, rule)
}

// Whoever has waited for long was heard of by its server alone. Its turn is of use only when the leader has, too.
function needsLeader({ certainForMs, session }: LockNode): boolean {
  return certainForMs < session.timeoutMs / 3
}
