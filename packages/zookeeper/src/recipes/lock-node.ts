import { fullJitter, isHaError } from '@ha/core'
import {
  asError,
  deferred,
  type LinkedController,
  linkedController,
  raceAbort,
  retry,
  timerGrainMs,
} from '@ha/core/driver'
import { type ClientContext, isPermanent, noTimeoutMs, retryUntilAborted } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { Created, Stat, WatchEvent } from '../node.ts'
import type { CallOptions, Watched } from '../operations/operations.ts'
import { childOf, nameOf } from '../operations/paths.ts'
import type { LiveSession } from '../session/session.ts'
import { nodePrefix, type QueueEntry } from './lock-order.ts'

/**
 * The right to something that only one client, or a limited number, may have: a lock, a permit, leadership.
 * `JSON.stringify` writes its path, its token as a decimal text, and whether it is valid.
 */
export interface Lease {
  /**
   * The fencing token: the czxid of the lease's node. A later holder has a higher token, so that a store that remembers
   * the highest one can reject late writes.
   */
  readonly token: bigint
  /** The node of the lease. */
  readonly path: string
  /** Fires when the lease is over: released, its session lost by the local clock, or its node deleted by another client. */
  readonly signal: AbortSignal
  /**
   * True while no other client can hold the lease, for at least `marginMs` more (default 0). Uses the local monotonic
   * clock, so it is false in the first statement after a freeze that was too long, before any event arrives.
   */
  valid(marginMs?: number): boolean
  /** Throws `lease-over` unless {@link valid}. */
  assert(marginMs?: number): void
  /** Gives the lease back. Idempotent; never rejects: while the connection is lost, the node is deleted later. */
  release(): Promise<void>
}

type State =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'held'; readonly stopHolding: () => void }
  /** `deleted` resolves when the node is deleted, or is being deleted in the background. */
  | { readonly kind: 'over'; readonly deleted: Promise<void> }

/**
 * One node of this client in a queue, from its creation to its deletion. Once the lock is granted, it is the lease. It
 * ends once: when it is released, when another client deletes it, with its session, or, while it is held, as soon as it
 * is not certain any more. The node is then deleted, so that a session that lives on does not keep the lock.
 */
export class LockNode implements Lease {
  readonly path: string
  readonly token: bigint
  /** The session that owns the node. */
  readonly session: LiveSession
  readonly #context: ClientContext
  readonly #scope: LinkedController
  #state: State = { kind: 'waiting' }

  constructor(context: ClientContext, { path, stat }: Created, session: LiveSession) {
    this.path = path
    this.token = stat.czxid
    this.session = session
    this.#context = context
    this.#scope = linkedController(session.signal)
    this.#scope.signal.addEventListener('abort', () => this.#onEnd(), { once: true })
    this.#watchOwnNode().catch((thrown: unknown) => {
      if (!this.signal.aborted) context.reportDefect(`watching ${path}`, thrown)
    })
  }

  get signal(): AbortSignal {
    return this.#scope.signal
  }

  /** The name of the node in its folder. */
  get name(): string {
    return nameOf(this.path)
  }

  /** For how long from now on no server can have ended the session, in milliseconds; negative when one can. */
  get certainForMs(): number {
    return this.session.certainUntilMs - this.#context.clock.now()
  }

  /**
   * Turns the node into a lease after the lock was granted, as soon as the session is certain: after a freeze of this
   * process the servers must confirm the session first. False when the node is over.
   */
  async hold(signal: AbortSignal): Promise<boolean> {
    const stopConfirming = this.session.keepCertain()
    try {
      while (!this.signal.aborted && this.certainForMs < timerGrainMs) await this.#pause(signal)
    } catch (thrown) {
      stopConfirming()
      throw thrown
    }
    if (this.#state.kind !== 'waiting') stopConfirming()
    else this.#becomeLease(stopConfirming)
    return this.valid()
  }

  valid(marginMs = 0): boolean {
    if (this.#state.kind !== 'held') return false
    const leftMs = this.certainForMs
    if (leftMs < timerGrainMs) this.#end('its session may have ended')
    return leftMs >= timerGrainMs && leftMs > marginMs
  }

  assert(marginMs = 0): void {
    if (this.valid(marginMs)) return
    const { aborted, reason } = this.signal
    throw leaseEndedError(this.path, aborted ? reason : `it is certain for less than ${marginMs} ms more`)
  }

  release(): Promise<void> {
    this.#end('it was released')
    return this.#state.kind === 'over' ? this.#state.deleted : Promise.resolve()
  }

  /** For logs: the token as a decimal text. */
  toJSON(): { readonly path: string; readonly token: string; readonly valid: boolean } {
    return { path: this.path, token: this.token.toString(), valid: this.valid() }
  }

  // While a lease is held, the session is confirmed every sixth of its timeout; a quarter of that is fine enough.
  #pause(signal: AbortSignal): Promise<void> {
    return this.#context.clock.sleep(this.session.timeoutMs / 24, signal)
  }

  #end(why: string): void {
    if (!this.signal.aborted) this.#scope.abort(leaseEndedError(this.path, why))
  }

  #onEnd(): void {
    if (this.#state.kind === 'held') this.#state.stopHolding()
    leasesOf(this.#context).delete(this.path)
    const { path, session } = this
    // All listeners of the signal run before the deletion starts: after it, another client may hold the lock.
    const deleted = Promise.resolve().then(() => deleteOwnNode(this.#context, { path, session }))
    this.#state = { kind: 'over', deleted }
  }

  // The lease expires by the local clock. Each confirmation by the servers extends it.
  #becomeLease(stopConfirming: () => void): void {
    let cancel = (): void => undefined
    leasesOf(this.#context).add(this.path)
    const check = (): void => {
      cancel()
      if (this.valid()) cancel = this.#context.clock.after(this.certainForMs, check)
    }
    this.#state = {
      kind: 'held',
      stopHolding: () => {
        cancel()
        stopConfirming()
      },
    }
    check()
    this.#followSession(check).catch(() => undefined)
  }

  // A server that takes over the session may grant a shorter timeout. Rejects when the node is over.
  async #followSession(check: () => void): Promise<never> {
    for (;;) {
      await this.#context.sessions.changed.wait(this.signal)
      check()
    }
  }

  async #watchOwnNode(): Promise<void> {
    const { signal } = this
    for (;;) {
      const changed = deferred()
      // The next client in the queue may hold the lock already, so the lease ends without a further read.
      const onEvent = ({ kind }: WatchEvent): void => {
        if (kind === 'deleted') this.#end('another client deleted its node')
        changed.resolve()
      }
      const { value, unwatch } = await retryUntilAborted(this.#context, signal, (options) =>
        this.#context.watchedReads.exists(this.path, onEvent, options),
      )
      if (!this.#isOurs(value)) this.#end('another client deleted its node')
      await raceAbort(changed.promise, signal, () => undefined).finally(unwatch)
    }
  }

  #isOurs(stat: Stat | undefined): boolean {
    return stat?.czxid === this.token && stat.ephemeralOwner === this.session.id
  }
}

const leases = new WeakMap<ClientContext, Set<string>>()

/** The paths of the leases that a client holds now. */
export function leasesOf(context: ClientContext): Set<string> {
  const paths = leases.get(context) ?? new Set<string>()
  leases.set(context, paths)
  return paths
}

/**
 * Creates a node at the end of a queue, owned by the current session: a node of an earlier session will be deleted with
 * that session. A node that is created after the signal fired is deleted, also when the answer was lost.
 */
export async function createLockNode(
  context: ClientContext,
  entry: QueueEntry,
  signal: AbortSignal,
): Promise<LockNode> {
  for (;;) {
    const session = await context.sessions.waitForSession(signal)
    const created = await createInSession(session, context, entry, signal)
    if (created !== undefined && isOwnedBy(created, session)) return new LockNode(context, created, session)
  }
}

function isOwnedBy(created: Created, session: LiveSession): boolean {
  return !session.signal.aborted && created.stat.ephemeralOwner === session.id
}

// Undefined when the session ended meanwhile. The create continues after the caller has given up: a node whose answer
// was lost is found by its mark, and would otherwise block the queue for as long as the session lives.
async function createInSession(
  session: LiveSession,
  context: ClientContext,
  { folder, kind, data }: QueueEntry,
  signal: AbortSignal,
): Promise<Created | undefined> {
  const creating = context.operations.create(childOf(folder, nodePrefix(kind)), data, {
    kind: 'ephemeral',
    sequential: true,
    protect: true,
    // The folder of a queue is this client's own; the nodes above it are not.
    parents: 'container',
    signal: session.signal,
    timeoutMs: noTimeoutMs,
  })
  try {
    return await raceAbort(creating, signal, ({ path }) => void deleteOwnNode(context, { path, session }))
  } catch (thrown) {
    if (signal.aborted || !session.signal.aborted) throw thrown
    return undefined
  }
}

/** Waits until one of these nodes is deleted or written to. The caller then reads the queue again. */
export async function waitForPredecessor(
  context: ClientContext,
  folder: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const changed = deferred()
  const scope = linkedController(signal)
  const onEvent = (): void => changed.resolve()
  const watch = async (name: string): Promise<void> => {
    const { value, unwatch } = await retryUntilAborted(context, scope.signal, (options) =>
      watchNodeOf(context, folder, name, onEvent, options),
    )
    if (!value) changed.resolve()
    await raceAbort(changed.promise, scope.signal, () => undefined).finally(unwatch)
  }
  for (const name of names) watch(name).catch(changed.reject)
  try {
    await raceAbort(changed.promise, signal, () => undefined)
  } finally {
    scope.abort(undefined)
  }
}

// Whether the node exists. Servers from 3.8.4 and 3.9.2 on do not tell that of a node that may not be read, such as one of
// a client with other credentials: then the list of the folder is watched, which wakes this client more often.
async function watchNodeOf(
  { watchedReads }: ClientContext,
  folder: string,
  name: string,
  onEvent: () => void,
  options: CallOptions,
): Promise<Watched<boolean>> {
  try {
    const { value, unwatch } = await watchedReads.exists(childOf(folder, name), onEvent, options)
    return { value: value !== undefined, unwatch }
  } catch (thrown) {
    if (!isHaError(thrown) || thrown.code !== 'no-auth') throw thrown
    const { value, unwatch } = await watchedReads.children(folder, onEvent, options)
    return { value: value?.names.includes(name) === true, unwatch }
  }
}

/** The error for a lease that is not certain any more. `why` is a text, or the reason of the lease's signal. */
export function leaseEndedError(path: string, why: unknown): ZookeeperError {
  const cause = typeof why === 'string' ? undefined : asError(why)
  const text = cause?.message ?? String(why)
  const isComplete = isHaError(cause) && cause.code === 'lease-over'
  const message = isComplete ? text : `the lease ${path} is over: ${text}`
  return new ZookeeperError('lease-over', message, { path, retryable: true, cause })
}

/** A node that only this client uses: its name carries a mark, or no other client writes to it. */
interface OwnNode {
  readonly path: string
  /** The session that owns the node. */
  readonly session: LiveSession
}

const deleteBackoff = fullJitter({ baseMs: 100, maxMs: 5_000 })

/**
 * Deletes a node of this client. Resolves after the first attempt; a failed one is repeated in the background until the
 * node is deleted or its session is over, with which the servers delete it. Never rejects. A refusal by the servers is
 * reported as a defect, because until then the node blocks the other clients.
 */
export function deleteOwnNode(context: ClientContext, node: OwnNode): Promise<void> {
  const { clock, random, reportDefect } = context
  const { signal } = node.session
  const where = `deleting ${node.path}`
  const firstAttempt = deferred()
  let isReported = false
  const attempt = async (): Promise<void> => {
    try {
      if (!signal.aborted) await deleteIfOurs(context, node)
    } catch (thrown) {
      if (!signal.aborted && !isReported && isRefusal(thrown)) {
        isReported = true
        reportDefect(where, thrown)
      }
      throw thrown
    } finally {
      firstAttempt.resolve()
    }
  }
  const isFinal = (): boolean => false
  retry({ clock, random, backoff: deleteBackoff, isFinal, signal }, attempt).catch((thrown: unknown) => {
    if (!signal.aborted) reportDefect(where, thrown)
  })
  return firstAttempt.promise
}

// Another client may have written to the node. It is deleted nevertheless when it still belongs to the session.
async function deleteIfOurs(context: ClientContext, node: OwnNode): Promise<void> {
  const { id, signal } = node.session
  try {
    await deleteVersion(context, node, neverWritten)
  } catch (thrown) {
    if (!isVersionConflict(thrown)) throw thrown
    const stat = await context.operations.exists(node.path, { signal })
    if (stat?.ephemeralOwner === id) await deleteVersion(context, node, stat.version)
  }
}

const neverWritten = 0

function deleteVersion(
  { operations }: ClientContext,
  { path, session }: OwnNode,
  version: number,
): Promise<boolean> {
  return operations.delete(path, { version, repeatable: true, signal: session.signal })
}

function isRefusal(thrown: unknown): boolean {
  return isPermanent(thrown) && !isVersionConflict(thrown)
}

function isVersionConflict(thrown: unknown): boolean {
  return isHaError(thrown) && thrown.code === 'bad-version'
}
