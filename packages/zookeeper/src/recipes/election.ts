import { isHaError } from '@ha/core'
import { asError, deferred, linkedController, listenerFailed, raceAbort } from '@ha/core/driver'
import { type ClientContext, noTimeoutMs, refusalDelay, retryUntilAborted } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { Node } from '../node.ts'
import {
  CallDeadline,
  type CallLimits,
  checkFunction,
  resolveCall,
  resolveSignal,
} from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath, childOf } from '../operations/paths.ts'
import { jsonSafe } from '../protocol/requests.ts'
import { acquire, holding, type WaitObserver } from './lock.ts'
import type { Lease, LockNode } from './lock-node.ts'
import { byPriority, contendersIn, kindOfPriority, type LockQueue } from './lock-order.ts'

/** How a participant takes part in an election. */
export interface ElectionOptions {
  /** The name of this participant, visible to the others. */
  readonly id: string
  /**
   * Of the waiting participants, the one with the highest priority is elected next, regardless of the order of
   * arrival; a leader is not preempted. A whole number from 0 to 999, default 0.
   */
  readonly priority?: number | undefined
}

/** The options of `run` and `observe` of an election. */
export interface CampaignOptions {
  /** Ends the campaign or the observation. */
  readonly signal?: AbortSignal | undefined
}

/** A participant of an election, who may also only observe it. */
export interface Election {
  /** The parent of the nodes of the participants. */
  readonly path: string
  /** The name of this participant. */
  readonly id: string
  /**
   * Runs for election again and again: while elected, runs `fn`; when `fn` returns, steps down. Continues until the
   * signal fires, however long the servers cannot be reached or refuse the client. When the signal fires during `fn`, it
   * waits for `fn` to end, so pass the same signal to `fn`. Rejects with what `fn` threw while this participant was the
   * leader. What `fn` throws after its lease is over does not end the campaign: it is reported as a failed listener.
   */
  run(fn: (lease: Lease) => Promise<void>, options?: CampaignOptions): Promise<void>
  /** True while no other participant can be elected, by the local clock. */
  isLeader(): boolean
  /** Why this participant cannot run for election, such as servers that refuse it; undefined when there is no reason. */
  trouble(): Error | undefined
  /** The leader, as known to the leader of the ensemble. */
  leader(options?: CallOptions): Promise<Participant | undefined>
  /**
   * The leader, now and after each change. A slow reader misses intermediate leaders, never the current one. Ends when
   * the signal fires or the client is closed.
   */
  observe(options?: CampaignOptions): AsyncIterable<Participant | undefined>
}

/** An election on the node `path`: the participants queue below it. */
export function election(context: ClientContext, path: string, options: ElectionOptions): Election {
  checkPath(path, 'election')
  check(path, typeof options === 'object' && options !== null, "expected options such as { id: 'node-1' }")
  const { id, priority = 0 } = options
  check(path, typeof id === 'string' && id !== '', 'id: expected a name')
  const fits = Number.isInteger(priority) && priority >= 0 && priority <= maxPriority
  check(path, fits, `priority: expected a whole number from 0 to ${maxPriority}`)
  const what = `the leadership of ${path}`
  const queue = { folder: path, kind: kindOfPriority(priority), data: id, order: byPriority, what }
  const campaign = new Campaign(context, queue)
  return {
    path,
    id,
    run: async (fn, options) => {
      checkFunction(`run of ${what}`, path, fn)
      return campaign.run(fn, resolveSignal('run', options))
    },
    isLeader: () => campaign.isLeader,
    trouble: () => campaign.trouble,
    leader: async (options) =>
      readLeader(context, path, resolveCall('leader', options, context.operationTimeoutMs)),
    observe: (options) => observeLeader(context, path, resolveSignal('observe', options)),
  }
}

const maxPriority = 999

function check(path: string, fits: boolean, problem: string): void {
  if (!fits) throw new ZookeeperError('config-invalid', `election ${path}: ${problem}`, { path })
}

type CampaignState =
  | { readonly kind: 'idle' }
  /** `failure` is the error of the last attempt to join the queue, or why the wait cannot end. */
  | { readonly kind: 'waiting'; readonly failure: Error | undefined }
  | { readonly kind: 'leading'; readonly lease: Lease }

/** The campaign of one participant: waits for election, leads, steps down, and starts again. */
class Campaign {
  readonly #context: ClientContext
  readonly #queue: LockQueue
  #state: CampaignState = { kind: 'idle' }
  #wasQueued = false

  constructor(context: ClientContext, queue: LockQueue) {
    this.#context = context
    this.#queue = queue
  }

  /** Whether this participant leads, and no other one can. */
  get isLeader(): boolean {
    return this.#state.kind === 'leading' && this.#state.lease.valid()
  }

  /** Why this participant cannot join the queue or read its position. */
  get trouble(): Error | undefined {
    if (this.#state.kind !== 'waiting') return undefined
    return this.#context.link.unavailableReason() ?? this.#state.failure
  }

  async run(fn: (lease: Lease) => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const { folder, what } = this.#queue
    if (this.#state.kind !== 'idle') {
      const message = `${what}: this participant is running already; create another one`
      throw new ZookeeperError('config-invalid', message, { path: folder })
    }
    try {
      while (signal?.aborted !== true) await this.#leadOnce(fn, signal)
    } finally {
      this.#state = { kind: 'idle' }
    }
  }

  async #leadOnce(fn: (lease: Lease) => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const lease = await this.#waitForElection(signal)
    if (lease === undefined) return
    this.#state = { kind: 'leading', lease }
    try {
      await holding(lease, () => fn(lease))
    } catch (thrown) {
      if (lease.valid()) throw thrown
      if (!isCausedByLoss(thrown, lease)) listenerFailed(`election ${this.#queue.folder}`, thrown)
    } finally {
      this.#state = waiting
      await lease.release()
    }
  }

  // Undefined when the signal fired first. Once this participant has been in the queue, a refusal that a person can mend,
  // such as a missing chroot or permission, does not end the campaign.
  async #waitForElection(signal: AbortSignal | undefined): Promise<LockNode | undefined> {
    const context = this.#context
    const until = signal ?? context.signal
    for (let failures = 0; ; failures++) {
      try {
        return await retryUntilAborted(context, until, () => this.#acquireOnce(signal))
      } catch (thrown) {
        if (signal?.aborted === true) return undefined
        await this.#pauseAfter(thrown, failures, until)
      }
    }
  }

  async #pauseAfter(thrown: unknown, failures: number, until: AbortSignal): Promise<void> {
    const { clock, random, signal: closed, reportDefect } = this.#context
    if (!this.#wasQueued || closed.aborted || !isMendable(thrown)) throw thrown
    if (failures === 0) reportDefect(this.#queue.what, thrown)
    await clock.sleep(refusalDelay(failures, random), until).catch(() => undefined)
  }

  async #acquireOnce(signal: AbortSignal | undefined): Promise<LockNode> {
    this.#state = waiting
    const observer: WaitObserver = {
      onQueued: () => {
        this.#wasQueued = true
      },
      onSelfWait: (error) => {
        this.#state = { kind: 'waiting', failure: error }
      },
    }
    try {
      return await acquire(this.#context, this.#queue, { timeoutMs: noTimeoutMs, signal }, observer)
    } catch (thrown) {
      this.#state = { kind: 'waiting', failure: asError(thrown) }
      throw thrown
    }
  }
}

// A refusal by the servers, and not the end of the client or a defect.
function isMendable(thrown: unknown): boolean {
  return isHaError(thrown) && !['closed', 'aborted', 'internal'].includes(thrown.code)
}

const waiting: CampaignState = { kind: 'waiting', failure: undefined }

// A function that stops because its lease is over has not failed.
function isCausedByLoss(thrown: unknown, lease: Lease): boolean {
  if (thrown === lease.signal.reason) return true
  if (isHaError(thrown)) return thrown.code === 'lease-over' || thrown.code === 'aborted'
  return thrown instanceof Error && thrown.name === 'AbortError'
}

/** A participant of an election. */
export interface Participant {
  /** Its name, as in {@link ElectionOptions.id}. */
  readonly id: string
  /** The node of the participant. */
  readonly path: string
  /** The fencing token of its lease while it leads. */
  readonly token: bigint
}

/** Reads the first node of the queue after a `sync`: a lagging server would return an earlier leader. */
async function readLeader(
  { operations, clock }: ClientContext,
  folder: string,
  call: CallLimits,
): Promise<Participant | undefined> {
  const deadline = new CallDeadline(call, () => clock.now())
  await operations.sync(folder, deadline.remaining)
  for (;;) {
    const children = await operations.children(folder, deadline.remaining)
    const path = firstOf(folder, children?.names)
    if (path === undefined) return undefined
    const node = await operations.get(path, deadline.remaining)
    if (node !== undefined) return participantOf(path, node)
    deadline.check(`the leader of ${folder}`, folder)
  }
}

/** The first node of the queue, now and after each change, until the signal fires or the client is closed. */
async function* observeLeader(
  context: ClientContext,
  folder: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Participant | undefined, void, void> {
  const scope = linkedController(signal, context.signal)
  let last: LeaderObservation | undefined
  try {
    for (;;) {
      const observation = await observeFirst(context, folder, scope.signal)
      try {
        if (last === undefined || isDifferent(last, observation)) yield observation.leader
        await raceAbort(observation.changed, scope.signal, () => undefined)
      } finally {
        observation.unwatch()
      }
      last = observation
    }
  } catch (thrown) {
    if (!scope.signal.aborted) throw thrown
  } finally {
    scope.unlink()
  }
}

/** The leader that was read, and a promise that resolves when this may have changed. */
interface LeaderObservation {
  readonly leader: Participant | undefined
  readonly changed: Promise<void>
  unwatch(): void
}

function isDifferent({ leader: before }: LeaderObservation, { leader: now }: LeaderObservation): boolean {
  return before?.path !== now?.path || before?.id !== now?.id
}

// The first node of the queue stays first until it is deleted, so only that node is watched; the folder is watched while
// the queue is empty.
async function observeFirst(
  context: ClientContext,
  folder: string,
  signal: AbortSignal,
): Promise<LeaderObservation> {
  const { operations, watchedReads } = context
  for (;;) {
    const children = await retryUntilAborted(context, signal, (options) =>
      operations.children(folder, options),
    )
    const path = firstOf(folder, children?.names)
    const { promise: changed, resolve } = deferred()
    const onEvent = (): void => resolve()
    if (path === undefined) {
      const watched = await retryUntilAborted(context, signal, (options) =>
        watchedReads.children(folder, onEvent, options),
      )
      if (firstOf(folder, watched.value?.names) === undefined)
        return { leader: undefined, changed, unwatch: watched.unwatch }
      watched.unwatch()
    } else {
      const watched = await retryUntilAborted(context, signal, (options) =>
        watchedReads.get(path, onEvent, options),
      )
      if (watched.value !== undefined)
        return { leader: participantOf(path, watched.value), changed, unwatch: watched.unwatch }
      watched.unwatch()
    }
  }
}

function firstOf(folder: string, names: readonly string[] = []): string | undefined {
  const [first] = contendersIn(names)
  return first === undefined ? undefined : childOf(folder, first.name)
}

function participantOf(path: string, { data, stat }: Node): Participant {
  return jsonSafe({ id: data.toString(), path, token: stat.czxid })
}
