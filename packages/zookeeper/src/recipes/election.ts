import { isHaError } from '@ha/core'
import { asError, deferred, linkedController, listenerFailed, raceAbort } from '@ha/core/driver'
import type { ClientContext } from '../context.ts'
import { noTimeoutMs, retryUntilAborted } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { Node } from '../node.ts'
import { CallDeadline, type CallLimits, resolveCall, resolveSignal } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath, childOf } from '../operations/paths.ts'
import { acquire } from './lock.ts'
import type { Lease } from './lock-node.ts'
import { byPriority, contendersIn, kindOfPriority, type LockQueue } from './lock-order.ts'

export interface ElectionOptions {
  /** The name that the others see. */
  readonly id: string
  /**
   * Of those who wait, the one with the highest goes first, whoever came earlier; who leads is not pushed aside. A
   * whole number from 0 to 999, default 0.
   */
  readonly priority?: number | undefined
}

export interface CampaignOptions {
  /** Ends it. */
  readonly signal?: AbortSignal | undefined
}

/** One participant of an election, which may also just look on. */
export interface Election {
  readonly path: string
  readonly id: string
  /**
   * Stands for election, runs `fn` while elected, steps down when it returns, and stands again, until the signal,
   * however long the servers cannot be reached or refuse us; when the signal fires during `fn`, it waits for its end, so
   * give `fn` the same signal. Rejects with what `fn` threw while it was elected.
   * What it throws when its lease is over is no end of the campaign: it is told as a listener that failed.
   */
  run(fn: (lease: Lease) => Promise<void>, options?: CampaignOptions): Promise<void>
  /** True while nobody else can be elected, by our own clock. */
  isLeader(): boolean
  /** What keeps this participant from standing, such as servers that refuse it; undefined when nothing does. */
  trouble(): Error | undefined
  /** Who is first in line, as the ensemble's own leader knows it. */
  leader(options?: CallOptions): Promise<Participant | undefined>
  /**
   * Who is first in line, now and after each change; a slow reader misses what was in between, never what is so now.
   * Ends with the signal, and with the client.
   */
  observe(options?: CampaignOptions): AsyncIterable<Participant | undefined>
}

/** An election on the node `path`: those who stand for it are in line below it. */
export function election(
  ground: ClientContext,
  path: string,
  { id, priority = 0 }: ElectionOptions,
): Election {
  checkPath(path, 'election')
  check(path, typeof id === 'string' && id !== '', 'id: expected a name')
  const fits = Number.isInteger(priority) && priority >= 0 && priority <= mostPriority
  check(path, fits, `priority: expected a whole number from 0 to ${mostPriority}`)
  const what = `the lead of ${path}`
  const line = { folder: path, kind: kindOfPriority(priority), data: id, order: byPriority, what }
  const campaign = new Campaign(ground, line)
  return {
    path,
    id,
    run: async (fn, options) => campaign.run(fn, resolveSignal('run', options)),
    isLeader: () => campaign.isLeader,
    trouble: () => campaign.trouble,
    leader: async (options) =>
      readLeader(ground, path, resolveCall('leader', options, ground.operationTimeoutMs)),
    observe: (options) => observeLeader(ground, path, resolveSignal('observe', options)),
  }
}

const mostPriority = 999

function check(path: string, fits: boolean, problem: string): void {
  if (!fits) throw new ZookeeperError('config-invalid', `election ${path}: ${problem}`, { path })
}

type CampaignState =
  | { readonly kind: 'idle' }
  /** `failure` is what the last try to stand failed with. */
  | { readonly kind: 'standing'; readonly failure: Error | undefined }
  | { readonly kind: 'leading'; readonly lease: Lease }

/** What one participant does in an election: stands, leads, steps down, and stands again. */
class Campaign {
  readonly #ground: ClientContext
  readonly #queue: LockQueue
  #state: CampaignState = { kind: 'idle' }

  constructor(ground: ClientContext, line: LockQueue) {
    this.#ground = ground
    this.#queue = line
  }

  /** Whether this participant leads, and nobody else can. */
  get isLeader(): boolean {
    return this.#state.kind === 'leading' && this.#state.lease.valid()
  }

  /** What keeps it from standing, or its place in the line from being looked at. */
  get trouble(): Error | undefined {
    if (this.#state.kind !== 'standing') return undefined
    return this.#ground.link.unavailableReason() ?? this.#state.failure
  }

  async run(fn: (lease: Lease) => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    const { folder, what } = this.#queue
    if (this.#state.kind !== 'idle') {
      const message = `${what}: this participant runs already; make another one`
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
      await fn(lease)
    } catch (thrown) {
      if (lease.valid()) throw thrown
      if (!isCausedByLoss(thrown, lease)) listenerFailed(`election ${this.#queue.folder}`, thrown)
    } finally {
      this.#state = campaigning
      await lease.release()
    }
  }

  // Undefined when the signal came first.
  async #waitForElection(signal: AbortSignal | undefined): Promise<Lease | undefined> {
    const ground = this.#ground
    try {
      return await retryUntilAborted(ground, signal ?? ground.signal, () => this.#acquireOnce(signal))
    } catch (thrown) {
      if (signal?.aborted === true) return undefined
      throw thrown
    }
  }

  async #acquireOnce(signal: AbortSignal | undefined): Promise<Lease> {
    this.#state = campaigning
    try {
      return await acquire(this.#ground, this.#queue, { timeoutMs: noTimeoutMs, signal })
    } catch (thrown) {
      this.#state = { kind: 'standing', failure: asError(thrown) }
      throw thrown
    }
  }
}

const campaigning: CampaignState = { kind: 'standing', failure: undefined }

// Whoever was told to stop, and stopped, has not failed.
function isCausedByLoss(thrown: unknown, lease: Lease): boolean {
  if (thrown === lease.signal.reason) return true
  if (isHaError(thrown)) return thrown.code === 'lease-over' || thrown.code === 'aborted'
  return thrown instanceof Error && thrown.name === 'AbortError'
}

/** Somebody who stands for election. */
export interface Participant {
  readonly id: string
  /** The node that stands for it. */
  readonly path: string
  /** The fencing token of its lease, when it leads. */
  readonly token: bigint
}

/** Reads who is first in line, behind a `sync`: a server that lags would name one of the past. */
async function readLeader(
  { operations, clock }: ClientContext,
  folder: string,
  call: CallLimits,
): Promise<Participant | undefined> {
  const remaining = new CallDeadline(call, () => clock.now())
  await operations.sync(folder, remaining.remaining)
  for (;;) {
    const children = await operations.children(folder, remaining.remaining)
    const path = firstOf(folder, children?.names)
    if (path === undefined) return undefined
    const node = await operations.get(path, remaining.remaining)
    if (node !== undefined) return participantOf(path, node)
    remaining.check(`the leader of ${folder}`, folder)
  }
}

/** Who is first in line, now and after each change, until the signal or the end of the client. */
async function* observeLeader(
  ground: ClientContext,
  folder: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Participant | undefined, void, void> {
  const scope = linkedController(signal, ground.signal)
  let last: LeaderObservation | undefined
  try {
    for (;;) {
      const sight = await observeFirst(ground, folder, scope.signal)
      try {
        if (last === undefined || isDifferent(last, sight)) yield sight.leader
        await raceAbort(sight.changed, scope.signal, () => undefined)
      } finally {
        sight.unwatch()
      }
      last = sight
    }
  } catch (thrown) {
    if (!scope.signal.aborted) throw thrown
  } finally {
    scope.unlink()
  }
}

/** What was seen, and a promise that resolves when it is no longer so. */
interface LeaderObservation {
  readonly leader: Participant | undefined
  readonly changed: Promise<void>
  unwatch(): void
}

function isDifferent({ leader: before }: LeaderObservation, { leader: now }: LeaderObservation): boolean {
  return before?.path !== now?.path || before?.id !== now?.id
}

// The first in line stays so until it goes: it alone is watched, and the whole line only while there is nobody.
async function observeFirst(
  ground: ClientContext,
  folder: string,
  signal: AbortSignal,
): Promise<LeaderObservation> {
  const { operations, watchedReads } = ground
  for (;;) {
    const children = await retryUntilAborted(ground, signal, (options) =>
      operations.children(folder, options),
    )
    const path = firstOf(folder, children?.names)
    const { promise: changed, resolve } = deferred()
    const onEvent = (): void => resolve()
    if (path === undefined) {
      const line = await retryUntilAborted(ground, signal, (options) =>
        watchedReads.children(folder, onEvent, options),
      )
      if (firstOf(folder, line.value?.names) === undefined)
        return { leader: undefined, changed, unwatch: line.unwatch }
      line.unwatch()
    } else {
      const first = await retryUntilAborted(ground, signal, (options) =>
        watchedReads.get(path, onEvent, options),
      )
      if (first.value !== undefined)
        return { leader: participantOf(path, first.value), changed, unwatch: first.unwatch }
      first.unwatch()
    }
  }
}

function firstOf(folder: string, names: readonly string[] = []): string | undefined {
  const [first] = contendersIn(names)
  return first === undefined ? undefined : childOf(folder, first.name)
}

function participantOf(path: string, { data, stat }: Node): Participant {
  return { id: data.toString(), path, token: stat.czxid }
}
