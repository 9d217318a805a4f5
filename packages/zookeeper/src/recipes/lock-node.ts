import { fullJitter, isHaError } from '@ha/core'
import {
  asError,
  deferred,
  type LinkedController,
  linkedController,
  raceAbort,
  timerGrainMs,
} from '@ha/core/driver'
import type { ClientContext } from '../context.ts'
import { isPermanent, noTimeoutMs, retryUntilAborted } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { Created, Stat, WatchEvent } from '../node.ts'
import { childOf, nameOf } from '../operations/paths.ts'
import type { LiveSession } from '../session/session.ts'
import { nodePrefix, type QueueEntry } from './lock-order.ts'

type State =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'held'; readonly letGo: () => void }
  /** `withdrawn` resolves when the node is gone, or goes in the background. */
  | { readonly kind: 'over'; readonly withdrawn: Promise<void> }

/**
 * One node of ours in a line, from its making to its end; when its turn has come, it is the lease that it waited for.
 * It ends once: given back, deleted by somebody, with its session, or, when it is held, as soon as it is not certain
 * any more. Then it is also deleted, so that a session that lives on does not keep what nobody holds.
 */
export class LockNode implements Lease {
  readonly path: string
  readonly token: bigint
  /** The session that owns the node. */
  readonly session: LiveSession
  readonly #ground: ClientContext
  readonly #scope: LinkedController
  #state: State = { kind: 'waiting' }

  constructor(ground: ClientContext, { path, stat }: Created, session: LiveSession) {
    this.path = path
    this.token = stat.czxid
    this.session = session
    this.#ground = ground
    this.#scope = linkedController(session.signal)
    this.#scope.signal.addEventListener('abort', () => this.#onEnd(), { once: true })
    this.#watchOwnNode().catch((thrown: unknown) => {
      if (!this.signal.aborted) ground.reportDefect(`watching ${path}`, thrown)
    })
  }

  get signal(): AbortSignal {
    return this.#scope.signal
  }

  /** Its name below the folder of the line. */
  get name(): string {
    return nameOf(this.path)
  }

  /** For how long from now on no server can have ended its session, in milliseconds; negative when one can. */
  get certainForMs(): number {
    return this.session.certainUntilMs - this.#ground.clock.now()
  }

  /**
   * Makes a lease of it when its turn has come, as soon as it is certain for a while: after a freeze of ours the servers
   * have to be asked first. False when it is over.
   */
  async hold(signal: AbortSignal): Promise<boolean> {
    const letGo = this.session.keepCertain()
    try {
      while (!this.signal.aborted && this.certainForMs < timerGrainMs) await this.#pause(signal)
    } catch (thrown) {
      letGo()
      throw thrown
    }
    if (this.#state.kind !== 'waiting') letGo()
    else this.#becomeLease(letGo)
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
    throw leaseOver(this.path, aborted ? reason : `it is certain for less than ${marginMs} ms more`)
  }

  release(): Promise<void> {
    this.#end('it was released')
    return this.#state.kind === 'over' ? this.#state.withdrawn : Promise.resolve()
  }

  // Certainty comes with the answers to questions that are a quarter of the timeout apart.
  #pause(signal: AbortSignal): Promise<void> {
    return this.#ground.clock.sleep(this.session.timeoutMs / 24, signal)
  }

  #end(why: string): void {
    if (!this.signal.aborted) this.#scope.abort(leaseOver(this.path, why))
  }

  #onEnd(): void {
    if (this.#state.kind === 'held') this.#state.letGo()
    const { path, session } = this
    // Behind everybody who listens to the signal: the next one may have it as soon as the node is gone.
    const withdrawn = Promise.resolve().then(() => deleteOwnNode(this.#ground, { path, session }))
    this.#state = { kind: 'over', withdrawn }
  }

  // It ends in time without being asked. What is certain becomes so for longer with the answers of servers.
  #becomeLease(letGo: () => void): void {
    let cancel = (): void => undefined
    const look = (): void => {
      cancel()
      if (this.valid()) cancel = this.#ground.clock.after(this.certainForMs, look)
    }
    this.#state = {
      kind: 'held',
      letGo: () => {
        cancel()
        letGo()
      },
    }
    look()
    this.#followSession(look).catch(() => undefined)
  }

  // A server that takes the session over may grant it for less. Rejects when it is over.
  async #followSession(look: () => void): Promise<never> {
    for (;;) {
      await this.#ground.sessions.changed.wait(this.signal)
      look()
    }
  }

  async #watchOwnNode(): Promise<void> {
    const { signal } = this
    for (;;) {
      const changed = deferred()
      // Whoever stood behind it may hold it by now: nobody is asked first.
      const onEvent = ({ kind }: WatchEvent): void => {
        if (kind === 'deleted') this.#end('somebody deleted its node')
        changed.resolve()
      }
      const { value, unwatch } = await retryUntilAborted(this.#ground, signal, (options) =>
        this.#ground.watchedReads.exists(this.path, onEvent, options),
      )
      if (!this.#isOurs(value)) this.#end('somebody deleted its node')
      await raceAbort(changed.promise, signal, () => undefined).finally(unwatch)
    }
  }

  #isOurs(stat: Stat | undefined): boolean {
    return stat?.czxid === this.token && stat.ephemeralOwner === this.session.id
  }
}

/** Something that only one may hold, held: a lock, a place in a semaphore, leadership. */
export interface Lease {
  /**
   * The fencing token: the czxid of the node that stands for the lease. Whoever holds it later has a higher one, so a
   * store that remembers the highest can turn away whoever came too late.
   */
  readonly token: bigint
  /** The node that stands for it. */
  readonly path: string
  /** Fires when the lease is over: released, its session lost by our own clock, or its node deleted by somebody. */
  readonly signal: AbortSignal
  /**
   * True while nobody else can hold it, for at least `marginMs` more (default 0): by our own monotonic clock, so it is
   * false in the first statement after a freeze that was too long, before any event has been heard.
   */
  valid(marginMs?: number): boolean
  /** Throws `lease-over` unless {@link valid}. */
  assert(marginMs?: number): void
  /** Gives it back. Idempotent; never rejects: what cannot be deleted now is deleted when the connection is back. */
  release(): Promise<void>
}

/**
 * Stands at the end of a line, with a node of the session that is current now: one of a session before it is on its
 * way out, and never ours again. What is made after the signal is deleted, also when the answer was lost.
 */
export async function createLockNode(
  ground: ClientContext,
  entry: QueueEntry,
  signal: AbortSignal,
): Promise<LockNode> {
  for (;;) {
    const session = await ground.sessions.waitForSession(signal)
    const created = await createInSession(session, ground, entry, signal)
    if (created !== undefined && isOwnedBy(created, session)) return new LockNode(ground, created, session)
  }
}

function isOwnedBy(created: Created, session: LiveSession): boolean {
  return !session.signal.aborted && created.stat.ephemeralOwner === session.id
}

// Undefined when the session ended over it. It goes on when the caller has given up: a node whose answer was lost is
// found by its mark, and would else stand in everybody's way for as long as the session lives.
async function createInSession(
  session: LiveSession,
  ground: ClientContext,
  { folder, kind, data }: QueueEntry,
  signal: AbortSignal,
): Promise<Created | undefined> {
  const creating = ground.operations.create(childOf(folder, nodePrefix(kind)), data, {
    kind: 'ephemeral',
    sequential: true,
    protect: true,
    parents: true,
    signal: session.signal,
    timeoutMs: noTimeoutMs,
  })
  try {
    return await raceAbort(creating, signal, ({ path }) => void deleteOwnNode(ground, { path, session }))
  } catch (thrown) {
    if (signal.aborted || !session.signal.aborted) throw thrown
    return undefined
  }
}

/** Waits until one of these nodes has gone, or has been written to: whoever waits looks again. */
export async function waitForPredecessor(
  ground: ClientContext,
  folder: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const gone = deferred()
  const scope = linkedController(signal)
  const watch = async (path: string): Promise<void> => {
    const { value, unwatch } = await retryUntilAborted(ground, scope.signal, (options) =>
      ground.watchedReads.exists(path, () => gone.resolve(), options),
    )
    if (value === undefined) gone.resolve()
    await raceAbort(gone.promise, scope.signal, () => undefined).finally(unwatch)
  }
  for (const name of names) watch(childOf(folder, name)).catch(gone.reject)
  try {
    await raceAbort(gone.promise, signal, () => undefined)
  } finally {
    scope.abort(undefined)
  }
}

/** Why a lease is no longer certain: `why` is a reason in words, or what its signal was fired with. */
export function leaseOver(path: string, why: unknown): ZookeeperError {
  const cause = typeof why === 'string' ? undefined : asError(why)
  const text = cause?.message ?? String(why)
  const saysItself = isHaError(cause) && cause.code === 'lease-over'
  const message = saysItself ? text : `the lease ${path} is over: ${text}`
  return new ZookeeperError('lease-over', message, { path, retryable: true, cause })
}

/** A node that we made and that nobody else has: its name carries a mark, or nobody writes it but its owner. */
interface OwnNode {
  readonly path: string
  /** The session that it ends with. */
  readonly session: LiveSession
}

/**
 * Deletes a node of our own. Resolves when it is gone, or when that cannot be done now: then it goes on in the
 * background until the node is gone or its session is over, with which the servers delete it. Never rejects: that we
 * may not delete it is told as a defect, for until then it stands in everybody's way.
 */
export async function deleteOwnNode(ground: ClientContext, node: OwnNode): Promise<void> {
  const failure = await tryDelete(ground, node)
  if (failure === undefined) return
  keepDeleting(ground, node, failure).catch((thrown: unknown) => {
    if (!node.session.signal.aborted) ground.reportDefect(`withdrawing ${node.path}`, thrown)
  })
}

const pace = fullJitter({ baseMs: 100, maxMs: 5_000 })

async function keepDeleting(ground: ClientContext, node: OwnNode, first: Error): Promise<void> {
  const { clock, random, reportDefect } = ground
  let isTold = false
  let failure: Error | undefined = first
  for (let round = 0; failure !== undefined; round++) {
    if (!isTold && isUnrecoverable(failure)) {
      isTold = true
      reportDefect(`withdrawing ${node.path}`, failure)
    }
    await clock.sleep(pace(round, random), node.session.signal)
    failure = await tryDelete(ground, node)
  }
}

// Undefined when it is gone.
async function tryDelete(ground: ClientContext, node: OwnNode): Promise<Error | undefined> {
  const { signal } = node.session
  try {
    if (!signal.aborted) await deleteIfOurs(ground, node)
    return undefined
  } catch (thrown) {
    return signal.aborted ? undefined : asError(thrown)
  }
}

// Somebody may have written into it. It goes all the same when it is still ours.
async function deleteIfOurs(ground: ClientContext, node: OwnNode): Promise<void> {
  const { id, signal } = node.session
  try {
    await deleteVersion(ground, node, neverWritten)
  } catch (thrown) {
    if (!isVersionConflict(thrown)) throw thrown
    const stat = await ground.operations.exists(node.path, { signal })
    if (stat?.ephemeralOwner === id) await deleteVersion(ground, node, stat.version)
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

function isUnrecoverable(error: Error): boolean {
  return isPermanent(error) && !isVersionConflict(error)
}

function isVersionConflict(thrown: unknown): boolean {
  return isHaError(thrown) && thrown.code === 'bad-version'
}
