import { isHaError } from '@ha/core'
import { deferred, linkedController, raceAbort } from '@ha/core/driver'
import { type ClientContext, retryUntilAborted, runWithinCall } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { Node } from '../node.ts'
import { resolveCall } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath, childOf } from '../operations/paths.ts'
import {
  createLockNode,
  deleteOwnNode,
  type LockNode,
  leaseEndedError,
  waitForPredecessor,
} from './lock-node.ts'
import { contendersIn } from './lock-order.ts'

/** A double barrier: no member starts before all have entered, and none continues before all have left. */
export interface Barrier {
  /** The parent of the nodes of the members. */
  readonly path: string
  /** Enters and waits for the others. Rejects with `timed-out` when not all enter in time, and leaves again. */
  enter(options?: CallOptions): Promise<void>
  /**
   * Leaves and waits for the others. Rejects with `lease-over` when the session was lost since `enter`: the others then
   * do not wait for this member.
   */
  leave(options?: CallOptions): Promise<void>
}

/** A barrier on the node `path` for `size` members. It can be entered again after it was left. */
export function barrier(context: ClientContext, path: string, size: number): Barrier {
  checkPath(path, 'barrier')
  if (!Number.isSafeInteger(size) || size < 1) {
    const message = `barrier ${path}: expected the number of members, at least 1`
    throw new ZookeeperError('config-invalid', message, { path })
  }
  return new DoubleBarrier(context, path, size)
}

type State =
  | { readonly kind: 'outside' }
  | { readonly kind: 'inside'; readonly member: BarrierMember }
  /** Entering or leaving. */
  | { readonly kind: 'moving' }

class DoubleBarrier implements Barrier {
  readonly path: string
  readonly #context: ClientContext
  readonly #size: number
  #state: State = { kind: 'outside' }

  constructor(context: ClientContext, path: string, size: number) {
    this.path = path
    this.#context = context
    this.#size = size
  }

  async enter(options?: CallOptions): Promise<void> {
    const call = resolveCall('enter', options, this.#context.operationTimeoutMs)
    const { path } = this
    if (this.#state.kind !== 'outside') throw this.#wrongState('it is entered already')
    this.#state = { kind: 'moving' }
    let next: State = { kind: 'outside' }
    try {
      const expired = (): Error => this.#timedOut('entered', call.timeoutMs)
      const limits = { what: `the barrier ${path}`, path, call, expired }
      const member = await runWithinCall(
        this.#context,
        limits,
        (signal) => enterBarrier(this.#context, path, this.#size, signal),
        (late) => late.abandon(),
      )
      next = { kind: 'inside', member }
    } finally {
      this.#state = next
    }
  }

  async leave(options?: CallOptions): Promise<void> {
    const call = resolveCall('leave', options, this.#context.operationTimeoutMs)
    const { path } = this
    if (this.#state.kind !== 'inside') throw this.#wrongState('it was not entered')
    const { member } = this.#state
    this.#state = { kind: 'moving' }
    try {
      const expired = (): Error => this.#timedOut('left', call.timeoutMs)
      const limits = { what: `the barrier ${path}`, path, call, expired }
      await runWithinCall(this.#context, limits, (signal) => member.leave(signal))
    } catch (thrown) {
      member.abandon()
      throw thrown
    } finally {
      this.#state = { kind: 'outside' }
    }
  }

  #wrongState(why: string): ZookeeperError {
    return new ZookeeperError('config-invalid', `barrier ${this.path}: ${why}`, { path: this.path })
  }

  #timedOut(what: 'entered' | 'left', timeoutMs: number): ZookeeperError {
    const message = `barrier ${this.path}: not all ${this.#size} members ${what} within ${timeoutMs} ms`
    return new ZookeeperError('timed-out', message, { path: this.path, retryable: true })
  }
}

/** Enters, and waits until `size` members have entered. When the wait fails, the member leaves again. */
async function enterBarrier(
  context: ClientContext,
  path: string,
  size: number,
  signal: AbortSignal,
): Promise<BarrierMember> {
  const folder = new BarrierFolder(context, path)
  for (;;) {
    const node = await createLockNode(context, { folder: path, kind: 'part', data: '' }, signal)
    const open = await untilOpen(folder, node, size, signal)
    if (open !== undefined) return new BarrierMember(folder, node, open)
    await node.release()
  }
}

// Undefined when the member's node was deleted. A failed wait does not wait for the deletion of the node.
async function untilOpen(
  folder: BarrierFolder,
  node: LockNode,
  size: number,
  signal: AbortSignal,
): Promise<OpenNode | undefined> {
  const scope = linkedController(signal, node.signal)
  try {
    return await takeEnterSteps(folder, node, size, scope.signal)
  } catch (thrown) {
    if (!signal.aborted && node.signal.aborted) return undefined
    void folder.abandon(node)
    throw thrown
  } finally {
    scope.unlink()
  }
}

async function takeEnterSteps(
  folder: BarrierFolder,
  node: LockNode,
  size: number,
  signal: AbortSignal,
): Promise<OpenNode | undefined> {
  for (;;) {
    const step = enterStep(await folder.read(signal), node.name, size)
    switch (step.kind) {
      case 'entered':
        return step.open
      case 'missing':
        return undefined
      case 'open':
        await folder.open(node, signal)
        break
      case 'wait':
        await folder.whenOpen(signal)
    }
  }
}

/** A member of a barrier, from when all have entered until it has left. */
class BarrierMember {
  readonly #folder: BarrierFolder
  readonly #node: LockNode
  readonly #open: OpenNode

  constructor(folder: BarrierFolder, node: LockNode, open: OpenNode) {
    this.#folder = folder
    this.#node = node
    this.#open = open
  }

  /** Leaves, and waits for the others. */
  async leave(signal: AbortSignal): Promise<void> {
    const node = this.#node
    if (node.signal.aborted) throw leaseEndedError(node.path, node.signal.reason)
    const { names } = await this.#folder.read(signal)
    const others = names.filter((name) => name !== node.name)
    const round = { own: node.name, others, open: this.#open }
    for (;;) {
      const step = leaveStep(round, await this.#folder.read(signal))
      if (step.kind === 'left') return
      await this.#take(step, signal)
    }
  }

  async #take(step: Exclude<LeaveStep, { readonly kind: 'left' }>, signal: AbortSignal): Promise<void> {
    const node = this.#node
    switch (step.kind) {
      case 'delete-own':
        void node.release()
        return this.#folder.whenDeleted(node.name, signal)
      case 'close':
        if (node.signal.aborted) throw leaseEndedError(node.path, node.signal.reason)
        return this.#folder.close(node, signal)
      case 'wait':
        return this.#folder.whenDeleted(step.name, signal)
    }
  }

  /** Leaves without waiting for the others. */
  abandon(): void {
    void this.#folder.abandon(this.#node)
  }
}

/** The reads and writes in the folder of a barrier. */
class BarrierFolder {
  readonly path: string
  readonly #context: ClientContext
  readonly #openPath: string

  constructor(context: ClientContext, path: string) {
    this.#context = context
    this.path = path
    this.#openPath = childOf(path, openName)
  }

  /** Reads the current content. */
  async read(signal: AbortSignal): Promise<BarrierView> {
    const { operations } = this.#context
    const [node, children] = await Promise.all([
      retryUntilAborted(this.#context, signal, (options) => operations.get(this.#openPath, options)),
      retryUntilAborted(this.#context, signal, (options) => operations.children(this.path, options)),
    ])
    const names = contendersIn(children?.names ?? []).map(({ name }) => name)
    return { names, open: node === undefined ? undefined : openNodeOf(node) }
  }

  /** Creates the `open` node. When another member was faster, it has created the same node. */
  async open({ name }: LockNode, signal: AbortSignal): Promise<void> {
    const { operations } = this.#context
    const creating = retryUntilAborted(this.#context, signal, (options) =>
      operations.create(this.#openPath, name, { ...options, kind: 'ephemeral' }),
    )
    await ignoreIf(creating, 'node-exists')
  }

  /** Waits until all members have entered. */
  async whenOpen(signal: AbortSignal): Promise<void> {
    const { watchedReads } = this.#context
    const { promise, resolve } = deferred()
    const { value, unwatch } = await retryUntilAborted(this.#context, signal, (options) =>
      watchedReads.exists(this.#openPath, () => resolve(), options),
    )
    if (value !== undefined) resolve()
    await raceAbort(promise, signal, () => undefined).finally(unwatch)
  }

  /** Waits until the node of this name is deleted. */
  whenDeleted(name: string, signal: AbortSignal): Promise<void> {
    return waitForPredecessor(this.#context, this.path, [name], signal)
  }

  /**
   * Deletes the node of a member that gave up, and the `open` node if that member created it: a later round would take
   * it for its own. Failed deletions are repeated in the background.
   */
  async abandon(node: LockNode): Promise<void> {
    const { operations, reportDefect } = this.#context
    const { name, session } = node
    try {
      await node.release()
      // The session has one connection: the answer to this read comes after that to a create still in flight.
      const open = await retryUntilAborted(this.#context, session.signal, (options) =>
        operations.get(this.#openPath, options),
      )
      if (open?.data.toString() === name)
        await deleteOwnNode(this.#context, { path: this.#openPath, session })
    } catch (thrown) {
      if (!session.signal.aborted) reportDefect(`abandoning ${node.path}`, thrown)
    }
  }

  /** Deletes the node of a member and the `open` node that it created: both, or neither when the former is missing. */
  async close({ path }: LockNode, signal: AbortSignal): Promise<void> {
    const { operations } = this.#context
    const changes = [path, this.#openPath].map((each) => ({ kind: 'delete', path: each }) as const)
    await ignoreIf(
      retryUntilAborted(this.#context, signal, (options) => operations.multi(changes, options)),
      'no-node',
    )
  }
}

function openNodeOf({ data, stat }: Node): OpenNode {
  return { czxid: stat.czxid, by: data.toString() }
}

// The next read shows the result, both when the outcome is unknown and when the change had been made already.
async function ignoreIf(work: Promise<unknown>, doneCode: string): Promise<void> {
  try {
    await work
  } catch (thrown) {
    if (!isHaError(thrown) || (thrown.code !== doneCode && thrown.outcome !== 'unknown')) throw thrown
  }
}

/** The content of a barrier's folder: the nodes of the members, and once all have entered, the `open` node. */
export interface BarrierView {
  readonly names: readonly string[]
  readonly open: OpenNode | undefined
}

/** The node that marks a barrier as open. It exists until all members have left. */
export interface OpenNode {
  /** The transaction that created it; distinguishes the rounds of a barrier. */
  readonly czxid: bigint
  /** The name of the member's node that created it. That member leaves last, and deletes the `open` node as well. */
  readonly by: string
}

/** One member's view of the round that it is in. */
export interface BarrierRound {
  readonly own: string
  /** The other members' nodes when this member began to leave. */
  readonly others: readonly string[]
  readonly open: OpenNode
}

/** The next step of a member that enters. */
export type EnterStep =
  | { readonly kind: 'entered'; readonly open: OpenNode }
  /** Create the `open` node. */
  | { readonly kind: 'open' }
  | { readonly kind: 'wait' }
  /** The member's node was deleted: enter again. */
  | { readonly kind: 'missing' }

/** `size` is the number of members. */
export function enterStep({ names, open }: BarrierView, own: string, size: number): EnterStep {
  if (!names.includes(own)) return { kind: 'missing' }
  if (open !== undefined) return { kind: 'entered', open }
  return names.length < size ? { kind: 'wait' } : { kind: 'open' }
}

/** The next step of a member that leaves. */
export type LeaveStep =
  /** Delete the member's own node. */
  | { readonly kind: 'delete-own' }
  /** Delete the member's own node and the `open` node in one transaction. */
  | { readonly kind: 'close' }
  /** Wait until the node of this name is deleted: the `open` node or that of another member. */
  | { readonly kind: 'wait'; readonly name: string }
  | { readonly kind: 'left' }

/**
 * The member that created the `open` node waits for the others, one after another. The others wait only for the `open`
 * node, so that its deletion notifies all of them at once. Members that entered after this one began to leave belong to
 * the next round.
 */
export function leaveStep(
  { own, others, open: opened }: BarrierRound,
  { names, open }: BarrierView,
): LeaveStep {
  const closed = open?.czxid !== opened.czxid
  const [remaining] = others.filter((name) => names.includes(name))
  if (opened.by === own && !closed) {
    return remaining === undefined ? { kind: 'close' } : { kind: 'wait', name: remaining }
  }
  if (names.includes(own)) return { kind: 'delete-own' }
  if (!closed) return { kind: 'wait', name: openName }
  // The session of the member that created the `open` node has ended; the others are still inside.
  return remaining === undefined ? { kind: 'left' } : { kind: 'wait', name: remaining }
}

/** The name of the node that marks a barrier as open. */
const openName = 'open'
