import { isHaError } from '@ha/core'
import { deferred, linkedController, raceAbort } from '@ha/core/driver'
import type { ClientContext } from '../context.ts'
import { retryUntilAborted, runWithinCall } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { Node } from '../node.ts'
import { resolveCall } from '../operations/call-options.ts'
import type { CallOptions } from '../operations/operations.ts'
import { checkPath, childOf } from '../operations/paths.ts'
import { createLockNode, deleteOwnNode, type LockNode, leaseOver, waitForPredecessor } from './lock-node.ts'
import { contendersIn } from './lock-order.ts'

/** A double barrier: nobody begins before all have come, and nobody goes on before all have gone. */
export interface Barrier {
  readonly path: string
  /** Comes, and waits for the others. Rejects with `timed-out` when not all have come in time, and goes again. */
  enter(options?: CallOptions): Promise<void>
  /**
   * Goes, and waits for the others. Rejects with `lease-over` when our session was lost in between: then the others
   * do not wait for us any more.
   */
  leave(options?: CallOptions): Promise<void>
}

/** A barrier on the node `path` for so many. One that is left can be entered again. */
export function barrier(ground: ClientContext, path: string, size: number): Barrier {
  checkPath(path, 'barrier')
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new ZookeeperError('config-invalid', `barrier ${path}: expected how many come, at least 1`, {
      path,
    })
  }
  return new DoubleBarrier(ground, path, size)
}

type State =
  | { readonly kind: 'outside' }
  | { readonly kind: 'inside'; readonly part: BarrierMember }
  /** On its way in or out. */
  | { readonly kind: 'moving' }

class DoubleBarrier implements Barrier {
  readonly path: string
  readonly #ground: ClientContext
  readonly #size: number
  #state: State = { kind: 'outside' }

  constructor(ground: ClientContext, path: string, size: number) {
    this.path = path
    this.#ground = ground
    this.#size = size
  }

  async enter(options?: CallOptions): Promise<void> {
    const call = resolveCall('enter', options, this.#ground.operationTimeoutMs)
    const { path } = this
    if (this.#state.kind !== 'outside') throw this.#wrong('it is entered already')
    this.#state = { kind: 'moving' }
    let next: State = { kind: 'outside' }
    try {
      const expired = (): Error => this.#notInTime('come', call.timeoutMs)
      const limits = { what: `the barrier ${path}`, path, call, expired }
      const part = await runWithinCall(
        this.#ground,
        limits,
        (signal) => enterBarrier(this.#ground, path, this.#size, signal),
        (late) => late.abandon(),
      )
      next = { kind: 'inside', part }
    } finally {
      this.#state = next
    }
  }

  async leave(options?: CallOptions): Promise<void> {
    const call = resolveCall('leave', options, this.#ground.operationTimeoutMs)
    const { path } = this
    if (this.#state.kind !== 'inside') throw this.#wrong('it was not entered')
    const { part } = this.#state
    this.#state = { kind: 'moving' }
    try {
      const expired = (): Error => this.#notInTime('gone', call.timeoutMs)
      const limits = { what: `the barrier ${path}`, path, call, expired }
      await runWithinCall(this.#ground, limits, (signal) => part.leave(signal))
    } catch (thrown) {
      part.abandon()
      throw thrown
    } finally {
      this.#state = { kind: 'outside' }
    }
  }

  #wrong(why: string): ZookeeperError {
    return new ZookeeperError('config-invalid', `barrier ${this.path}: ${why}`, { path: this.path })
  }

  #notInTime(what: 'come' | 'gone', timeoutMs: number): ZookeeperError {
    const message = `barrier ${this.path}: not all ${this.#size} have ${what} within ${timeoutMs} ms`
    return new ZookeeperError('timed-out', message, { path: this.path, retryable: true })
  }
}

/** Comes, and waits until `size` have come. Whoever gives up goes again. */
async function enterBarrier(
  ground: ClientContext,
  folder: string,
  size: number,
  signal: AbortSignal,
): Promise<BarrierMember> {
  const gathering = new BarrierFolder(ground, folder)
  for (;;) {
    const place = await createLockNode(ground, { folder, kind: 'part', data: '' }, signal)
    const opening = await untilOpen(gathering, place, size, signal)
    if (opening !== undefined) return new BarrierMember(gathering, place, opening)
    await place.release()
  }
}

// Undefined when our part has gone. Whoever gives up goes again, and does not wait for that.
async function untilOpen(
  gathering: BarrierFolder,
  place: LockNode,
  size: number,
  signal: AbortSignal,
): Promise<OpenNode | undefined> {
  const either = linkedController(signal, place.signal)
  try {
    return await takeEnterSteps(gathering, place, size, either.signal)
  } catch (thrown) {
    if (!signal.aborted && place.signal.aborted) return undefined
    void gathering.abandon(place)
    throw thrown
  } finally {
    either.unlink()
  }
}

async function takeEnterSteps(
  gathering: BarrierFolder,
  place: LockNode,
  size: number,
  signal: AbortSignal,
): Promise<OpenNode | undefined> {
  for (;;) {
    const step = enterStep(await gathering.read(signal), place.name, size)
    switch (step.kind) {
      case 'in':
        return step.opening
      case 'gone':
        return undefined
      case 'open':
        await gathering.open(place, signal)
        break
      case 'wait':
        await gathering.whenOpen(signal)
    }
  }
}

/** What one participant has in a barrier: from when all have come, to its going. */
class BarrierMember {
  readonly #folder: BarrierFolder
  readonly #node: LockNode
  readonly #opening: OpenNode

  constructor(gathering: BarrierFolder, place: LockNode, opening: OpenNode) {
    this.#folder = gathering
    this.#node = place
    this.#opening = opening
  }

  /** Goes, and waits for the others. */
  async leave(signal: AbortSignal): Promise<void> {
    const place = this.#node
    if (place.signal.aborted) throw leaseOver(place.path, place.signal.reason)
    const { names } = await this.#folder.read(signal)
    const others = names.filter((name) => name !== place.name)
    const round = { own: place.name, others, opening: this.#opening }
    for (;;) {
      const step = leaveStep(round, await this.#folder.read(signal))
      if (step.kind === 'left') return
      await this.#take(step, signal)
    }
  }

  async #take(step: Exclude<LeaveStep, { readonly kind: 'left' }>, signal: AbortSignal): Promise<void> {
    const place = this.#node
    switch (step.kind) {
      case 'go':
        void place.release()
        return this.#folder.whenDeleted(place.name, signal)
      case 'close':
        if (place.signal.aborted) throw leaseOver(place.path, place.signal.reason)
        return this.#folder.close(place, signal)
      case 'wait':
        return this.#folder.whenDeleted(step.name, signal)
    }
  }

  /** Goes without waiting for anybody. */
  abandon(): void {
    void this.#folder.abandon(this.#node)
  }
}

/** The folder of a barrier: what is read and written there. */
class BarrierFolder {
  readonly folder: string
  readonly #ground: ClientContext
  readonly #openPath: string

  constructor(ground: ClientContext, folder: string) {
    this.#ground = ground
    this.folder = folder
    this.#openPath = childOf(folder, openName)
  }

  /** What stands there now. */
  async read(signal: AbortSignal): Promise<BarrierView> {
    const { operations } = this.#ground
    const [node, children] = await Promise.all([
      retryUntilAborted(this.#ground, signal, (options) => operations.get(this.#openPath, options)),
      retryUntilAborted(this.#ground, signal, (options) => operations.children(this.folder, options)),
    ])
    const names = contendersIn(children?.names ?? []).map(({ name }) => name)
    return { names, open: node === undefined ? undefined : openNodeOf(node) }
  }

  /** Makes the node that says that all have come; whoever was faster has made the same. */
  async open({ name }: LockNode, signal: AbortSignal): Promise<void> {
    const { operations } = this.#ground
    const creating = retryUntilAborted(this.#ground, signal, (options) =>
      operations.create(this.#openPath, name, { ...options, kind: 'ephemeral' }),
    )
    await ignoreIf(creating, 'node-exists')
  }

  /** Waits until all have come. */
  async whenOpen(signal: AbortSignal): Promise<void> {
    const { watchedReads } = this.#ground
    const { promise, resolve } = deferred()
    const { value, unwatch } = await retryUntilAborted(this.#ground, signal, (options) =>
      watchedReads.exists(this.#openPath, () => resolve(), options),
    )
    if (value !== undefined) resolve()
    await raceAbort(promise, signal, () => undefined).finally(unwatch)
  }

  /** Waits until the node of this name has gone. */
  whenDeleted(name: string, signal: AbortSignal): Promise<void> {
    return waitForPredecessor(this.#ground, this.folder, [name], signal)
  }

  /**
   * Leaves nothing behind of a part that gave up, also not the opening that it may have made: whoever comes later would
   * take it for theirs. What cannot be done now is done in the background.
   */
  async abandon(place: LockNode): Promise<void> {
    const { operations, reportDefect } = this.#ground
    const { name, session } = place
    try {
      await place.release()
      // On the one connection of the session, this is answered behind a making that is still under way.
      const open = await retryUntilAborted(this.#ground, session.signal, (options) =>
        operations.get(this.#openPath, options),
      )
      if (open?.data.toString() === name) await deleteOwnNode(this.#ground, { path: this.#openPath, session })
    } catch (thrown) {
      if (!session.signal.aborted) reportDefect(`abandoning ${place.path}`, thrown)
    }
  }

  /** Takes away a part and the opening that it made: both, or none when the part has gone with its session. */
  async close({ path }: LockNode, signal: AbortSignal): Promise<void> {
    const { operations } = this.#ground
    const changes = [path, this.#openPath].map((each) => ({ kind: 'delete', path: each }) as const)
    await ignoreIf(
      retryUntilAborted(this.#ground, signal, (options) => operations.multi(changes, options)),
      'no-node',
    )
  }
}

function openNodeOf({ data, stat }: Node): OpenNode {
  return { czxid: stat.czxid, by: data.toString() }
}

// What became of it is for the next look to say, when nobody knows, or when it was so already.
async function ignoreIf(work: Promise<unknown>, already: string): Promise<void> {
  try {
    await work
  } catch (thrown) {
    if (!isHaError(thrown) || (thrown.code !== already && thrown.outcome !== 'unknown')) throw thrown
  }
}

/** What stands in a barrier's folder: the parts of those who came, and since all have come, `open`. */
export interface BarrierView {
  readonly names: readonly string[]
  readonly open: OpenNode | undefined
}

/** The node that says that all have come. It stays until all have gone. */
export interface OpenNode {
  /** The transaction that made it: tells the rounds of a barrier apart. */
  readonly czxid: bigint
  /** The part that made it. It goes last, and takes the node along. */
  readonly by: string
}

/** The part that one has in a round, once it is in. */
export interface BarrierRound {
  readonly own: string
  /** Who else was there when it began to leave. */
  readonly others: readonly string[]
  readonly opening: OpenNode
}

/** What one who wants to come in does next. */
type EnterStep =
  | { readonly kind: 'in'; readonly opening: OpenNode }
  | { readonly kind: 'open' }
  | { readonly kind: 'wait' }
  /** Our part has gone: we come anew. */
  | { readonly kind: 'gone' }

/** `size` is how many have to come. */
export function enterStep({ names, open }: BarrierView, own: string, size: number): EnterStep {
  if (!names.includes(own)) return { kind: 'gone' }
  if (open !== undefined) return { kind: 'in', opening: open }
  return names.length < size ? { kind: 'wait' } : { kind: 'open' }
}

/** What one who leaves does next. */
type LeaveStep =
  /** Takes its part away. */
  | { readonly kind: 'go' }
  /** Takes its part and the opening away, in one piece. */
  | { readonly kind: 'close' }
  /** Waits until the opening, or the part of somebody else, has gone. */
  | { readonly kind: 'wait'; readonly name: string }
  | { readonly kind: 'left' }

/**
 * Whoever made the opening waits for the others, one after the other; they wait for the opening alone, so that its end
 * tells them all at once. Those who came after we began to leave belong to the next round.
 */
export function leaveStep({ own, others, opening }: BarrierRound, { names, open }: BarrierView): LeaveStep {
  const closed = open?.czxid !== opening.czxid
  const [staying] = others.filter((name) => names.includes(name))
  if (opening.by === own && !closed) {
    return staying === undefined ? { kind: 'close' } : { kind: 'wait', name: staying }
  }
  if (names.includes(own)) return { kind: 'go' }
  if (!closed) return { kind: 'wait', name: openName }
  // Who made the opening has died with it; the others are still in.
  return staying === undefined ? { kind: 'left' } : { kind: 'wait', name: staying }
}

/** The name of the node that says that all have come. */
const openName = 'open'
