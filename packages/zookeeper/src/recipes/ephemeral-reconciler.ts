import { randomUUID } from 'node:crypto'
import { type Declaration, isHaError } from '@ha/core'
import { asError, linkedController } from '@ha/core/driver'
import type { ZookeeperConnection } from '../connection/connection.ts'
import type { ClientContext } from '../context.ts'
import { isPermanent } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { Acl, Node, WatchEvent } from '../node.ts'
import { callUserFunction } from '../operations/call-options.ts'
import type { CallOptions, Operations } from '../operations/operations.ts'
import { childOf, nameOf, parentOf } from '../operations/paths.ts'
import type { LiveSession } from '../session/session.ts'
import { watchesKey } from '../watches/watches.ts'

export interface ReconcilerDeps {
  readonly ground: ClientContext
  /** Under which it is declared. */
  readonly key: string
  readonly location: NodeLocation
  /** True of a session that this client had before. */
  readonly wasOurs: (sessionId: bigint) => boolean
  readonly takesOver: (node: Node) => boolean
  readonly parents: boolean
  readonly acl: readonly Acl[] | undefined
}

interface SettledState {
  readonly wish: DesiredNode
  readonly step: Exclude<EphemeralStep, ChangingStep>
  readonly seen: ObservedNode
  readonly session: LiveSession
}

/** For whom a node is kept up. */
interface ReconcilerOwner {
  /** What is wanted at this moment. */
  desired(): DesiredNode
  /** The node is there, as wished, and belongs to the session. */
  held(session: LiveSession, path: string, czxid: bigint): void
  /** The node is not there, or not ours; also called when that is no news. */
  missing(path: string, reason: Error): void
  /** A try has failed. */
  failed(error: Error): void
}

/**
 * Makes a wish for a node come true, as a declaration: on each connection, when it is declared anew, and when the watch
 * on the node tells. Each try looks, takes the step that follows from what it saw, and looks again.
 */
export class EphemeralReconciler {
  readonly #deps: ReconcilerDeps
  readonly #owner: ReconcilerOwner
  #lastHeld: bigint | undefined
  /** Stops watching the node, while it is watched. */
  #unwatch: (() => void) | undefined
  /** Whether it was a stranger's when it was looked at last. */
  #isTaken = false
  /** What the last try met that the next one may meet as well. */
  #refusal: Error | undefined
  /** The refusal that was told last: the same one is no news. */
  #reported: string | undefined

  constructor(parts: ReconcilerDeps, keeper: ReconcilerOwner) {
    this.#deps = parts
    this.#owner = keeper
  }

  /** The wish is new: a try for another one is abandoned. */
  declare(): void {
    const { ground, key } = this.#deps
    const declaration: Declaration<ZookeeperConnection> = {
      key,
      needs: [watchesKey],
      gates: false,
      survives: false,
      timeoutMs: ground.operationTimeoutMs,
      apply: (_connection, signal) => this.#apply(signal),
    }
    this.#refusal = undefined
    ground.link.desiredState.declare(declaration)
  }

  /** Leaves the node to itself. */
  forget(): void {
    const { ground, key } = this.#deps
    this.#stopWatching()
    ground.link.desiredState.forget(key)
  }

  /** Waits until the wish has come true; rejects when a try is refused, and the next one will be as well. */
  async whenDone(signal: AbortSignal): Promise<void> {
    const { ground, key } = this.#deps
    const { desiredState: ledger } = ground.link
    while (!ledger.isSettled(key)) {
      if (this.#refusal !== undefined) throw this.#refusal
      await ledger.changed.wait(signal)
    }
  }

  /** What the last try failed with, when no other has begun. */
  get failure(): Error | undefined {
    const { ground, key } = this.#deps
    if (this.#refusal !== undefined) return this.#refusal
    const standing = ground.link.desiredState.status(key)
    return standing !== undefined && 'error' in standing ? standing.error : undefined
  }

  async #apply(signal: AbortSignal): Promise<void> {
    const session = await this.#deps.ground.sessions.waitForSession(signal)
    const scope = linkedController(signal, session.signal)
    try {
      await this.#reconcile(session, scope.signal)
    } catch (thrown) {
      throw scope.signal.aborted ? thrown : this.#failed(asError(thrown))
    } finally {
      scope.unlink()
    }
  }

  // What lasts is tried again like everything else: it lies in the tree or in what we were given, and somebody may put
  // it right.
  #failed(error: Error): Error {
    this.#owner.failed(error)
    this.#refusal = isPermanent(error) ? error : undefined
    if (this.#refusal === undefined) return error
    const { ground, key, location: site } = this.#deps
    if (this.#reported !== error.message) ground.reportDefect(key, error)
    this.#reported = error.message
    return new ZookeeperError('rejected', error.message, { path: site.path, retryable: true, cause: error })
  }

  // What is answered when the session, the connection or the wish is another one by now changes nothing here.
  async #reconcile(session: LiveSession, signal: AbortSignal): Promise<void> {
    const wish = this.#owner.desired()
    for (let mayRest = false; ; ) {
      const seen = await this.#observe(mayRest && wish.kind === 'present', signal)
      const step = nextStep(seen.node, wish, this.#claim(session))
      if (step.kind !== 'settled' && step.kind !== 'wait') {
        await this.#applyStep(step, seen, signal)
      } else if (mayRest || wish.kind === 'absent' || this.#unwatch !== undefined) {
        return this.#settle({ wish, step, seen, session })
      }
      mayRest = true
    }
  }

  // A watch that is still there is left alone: it outlives connections.
  async #observe(watching: boolean, signal: AbortSignal): Promise<ObservedNode> {
    if (!watching) return this.#observeWith(undefined, signal)
    this.#stopWatching()
    const seen = await this.#observeWith((event) => this.#onEvent(event), signal)
    this.#unwatch = seen.unwatch
    return seen
  }

  async #observeWith(
    onEvent: ((event: WatchEvent) => void) | undefined,
    signal: AbortSignal,
  ): Promise<ObservedNode> {
    const seen = await this.#deps.location.observe(onEvent, { signal })
    if (signal.aborted) seen.unwatch()
    signal.throwIfAborted()
    return seen
  }

  #claim(session: LiveSession): OwnershipClaim {
    const { wasOurs, takesOver, location: site } = this.#deps
    return {
      sessionId: session.id,
      wasOurs,
      takesOver: (node) => callUserFunction('takeover', site.path, () => takesOver(node)),
      lastHeld: this.#lastHeld,
    }
  }

  async #applyStep(step: ChangingStep, { path }: ObservedNode, signal: AbortSignal): Promise<void> {
    const { ground, location: site, parents, acl } = this.#deps
    if (step.kind !== 'write') this.#owner.missing(path, deletedError(path))
    this.#stopWatching()
    const what = { step, path, createPath: site.path, sequential: site.sequential, parents, acl }
    await applyStep(ground.operations, what, { signal })
    signal.throwIfAborted()
  }

  #settle({ wish, step, seen: { path, node }, session }: SettledState): void {
    this.#refusal = undefined
    this.#reported = undefined
    this.#isTaken = step.kind === 'wait'
    if (step.kind === 'wait') {
      const error = takenError(path)
      this.#owner.missing(path, error)
      throw error
    }
    if (wish.kind === 'absent' || node === undefined) {
      this.#stopWatching()
      return
    }
    this.#lastHeld = node.stat.czxid
    this.#owner.held(session, path, node.stat.czxid)
  }

  #onEvent({ kind, path }: WatchEvent): void {
    const { ground, key } = this.#deps
    this.#unwatch = undefined
    const isDeleted = kind === 'deleted'
    const error = isDeleted ? deletedError(path) : modifiedError(path)
    if (isDeleted) this.#owner.missing(path, error)
    // The end of a stranger's node is what was waited for. What happens to ours time and again backs off.
    ground.link.invalidate(key, error, { paced: isDeleted && this.#isTaken })
  }

  #stopWatching(): void {
    this.#unwatch?.()
    this.#unwatch = undefined
  }
}

function takenError(path: string): ZookeeperError {
  const message = `another session holds ${path}: tried again when that one goes, or pass takeover`
  return new ZookeeperError('instance-taken', message, { path, retryable: true })
}

function deletedError(path: string): ZookeeperError {
  return new ZookeeperError('no-node', `${path} is not there: it is made again`, { path, retryable: true })
}

function modifiedError(path: string): ZookeeperError {
  const message = `somebody else has written to ${path}: it is put right`
  return new ZookeeperError('bad-version', message, { path, retryable: true })
}

/** What is to be at a path. */
export type DesiredNode = { readonly kind: 'present'; readonly data: Buffer } | { readonly kind: 'absent' }

/** What is known of ourselves when a node is looked at. */
export interface OwnershipClaim {
  readonly sessionId: bigint
  /** True of a session that this client had before. */
  readonly wasOurs: (sessionId: bigint) => boolean
  /** The czxid of the node that was held last. */
  readonly lastHeld: bigint | undefined
  /** Whether a node that another session holds is an earlier life of ours. */
  readonly takesOver: (node: Node) => boolean
}

/** What to do next, for the wish to come true. */
type EphemeralStep =
  /** Nothing: what is there is what was wished for. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'make'; readonly data: Buffer }
  | { readonly kind: 'write'; readonly data: Buffer; readonly version: number }
  /** Delete and make in one multi: no reader sees it missing, and nobody comes in between. */
  | { readonly kind: 'replace'; readonly data: Buffer; readonly version: number }
  | { readonly kind: 'remove'; readonly version: number }
  /** It is somebody else's. */
  | { readonly kind: 'wait' }

/** Whose a node is: of our session, of an earlier life of ours, or a stranger's. */
type NodeOwner = 'us' | 'earlier-us' | 'stranger'

export function ownerOf(node: Node, claim: OwnershipClaim): NodeOwner {
  const { ephemeralOwner, czxid } = node.stat
  if (ephemeralOwner === claim.sessionId) return 'us'
  if (claim.wasOurs(ephemeralOwner)) return 'earlier-us'
  // Who came after us took the name from us: to take it back would go on for ever.
  const isNewer = claim.lastHeld !== undefined && czxid > claim.lastHeld
  return !isNewer && claim.takesOver(node) ? 'earlier-us' : 'stranger'
}

/** What to do about what was seen at the path; `node` is undefined when there is none. */
export function nextStep(node: Node | undefined, wish: DesiredNode, claim: OwnershipClaim): EphemeralStep {
  return wish.kind === 'present' ? towardsPresent(node, wish.data, claim) : towardsAbsent(node, claim)
}

function towardsPresent(node: Node | undefined, data: Buffer, claim: OwnershipClaim): EphemeralStep {
  if (node === undefined) return { kind: 'make', data }
  const { version } = node.stat
  switch (ownerOf(node, claim)) {
    case 'us':
      return node.data.equals(data) ? { kind: 'settled' } : { kind: 'write', data, version }
    case 'earlier-us':
      return { kind: 'replace', data, version }
    case 'stranger':
      return { kind: 'wait' }
  }
}

function towardsAbsent(node: Node | undefined, claim: OwnershipClaim): EphemeralStep {
  if (node === undefined || ownerOf(node, claim) === 'stranger') return { kind: 'settled' }
  return { kind: 'remove', version: node.stat.version }
}

/** A step that changes something. */
type ChangingStep = Exclude<EphemeralStep, { readonly kind: 'settled' | 'wait' }>

/** What is done, and where. */
interface StepRequest {
  readonly step: ChangingStep
  /** The node that was seen. */
  readonly path: string
  /** What a create is given. */
  readonly createPath: string
  readonly sequential: boolean
  readonly parents: boolean
  readonly acl: readonly Acl[] | undefined
}

// Somebody was faster than we: what is so now has to be looked at again.
const conflictCodes: Readonly<Record<ChangingStep['kind'], readonly string[]>> = {
  make: ['node-exists'],
  write: ['no-node', 'bad-version'],
  replace: ['no-node', 'bad-version', 'node-exists'],
  remove: ['bad-version'],
}

/** Does one step. What came of it is for the next look to say, also when somebody else was faster. */
async function applyStep(operations: Operations, what: StepRequest, limit: CallOptions): Promise<void> {
  try {
    await sendStep(operations, what, limit)
  } catch (thrown) {
    if (!isHaError(thrown) || !conflictCodes[what.step.kind].includes(thrown.code)) throw thrown
  }
}

async function sendStep(operations: Operations, what: StepRequest, limit: CallOptions): Promise<void> {
  const { step, path, createPath: asked, sequential, parents, acl } = what
  switch (step.kind) {
    case 'make': {
      // The look that follows finds a node whose creation was not answered: a mark of the client's is not needed.
      const options = { ...limit, kind: 'ephemeral', sequential, parents, acl, protect: false } as const
      await operations.create(asked, step.data, options)
      return
    }
    case 'write':
      await operations.set(path, step.data, { ...limit, version: step.version })
      return
    case 'replace': {
      // A server compares versions, and neither owners nor czxids: what came into the place of the node since the look,
      // and is at the same version, goes with it. No check in the multi can tell; see `takeover`.
      const create = {
        kind: 'create',
        path: asked,
        data: step.data,
        ephemeral: true,
        sequential,
        acl,
      } as const
      await operations.multi([{ kind: 'delete', path, version: step.version }, create], limit)
      return
    }
    case 'remove':
      await operations.delete(path, { ...limit, version: step.version })
  }
}

/** Where the node of an ephemeral is. */
export interface NodeLocation {
  /** What a create is given. */
  readonly path: string
  /** Whether the server adds a number to it. */
  readonly sequential: boolean
  /** Looks at the node, and watches it when `onEvent` is given. */
  observe(onEvent: ((event: WatchEvent) => void) | undefined, limit: CallOptions): Promise<ObservedNode>
}

/** What was seen. */
interface ObservedNode {
  /** The path of the node, or what a create is given when there is none. */
  readonly path: string
  readonly node: Node | undefined
  unwatch(): void
}

type NodeReads = Pick<ClientContext, 'operations' | 'watchedReads'>

/** The site of a node whose whole path is known. */
export function fixedLocation(path: string, reads: NodeReads): NodeLocation {
  return { path, sequential: false, observe: (onEvent, limit) => observeNode(path, reads, onEvent, limit) }
}

/**
 * The site of a node that the server gives a number. It is found by a mark in its name, in the form that Curator
 * writes and that its readers skip: so one whose creation nobody answered is found as well.
 */
export function sequentialLocation(path: string, reads: NodeReads): NodeLocation {
  const parent = parentOf(path)
  const marked = `_c_${randomUUID()}-${nameOf(path)}`
  const asked = childOf(parent, marked)
  return {
    path: asked,
    sequential: true,
    observe: async (onEvent, limit) => {
      const children = await reads.operations.children(parent, limit)
      const name = latestName(children?.names.filter((one) => one.startsWith(marked)) ?? [])
      if (name === undefined) return { path: asked, node: undefined, unwatch: () => undefined }
      return observeNode(childOf(parent, name), reads, onEvent, limit)
    },
  }
}

// The number has ten digits, so the greatest name is the latest. Those before it are of sessions that are over.
function latestName(names: readonly string[]): string | undefined {
  return names.toSorted().at(-1)
}

async function observeNode(
  path: string,
  { operations, watchedReads }: NodeReads,
  onEvent: ((event: WatchEvent) => void) | undefined,
  limit: CallOptions,
): Promise<ObservedNode> {
  if (onEvent === undefined) {
    return { path, node: await operations.get(path, limit), unwatch: () => undefined }
  }
  const { value, unwatch } = await watchedReads.get(path, onEvent, limit)
  return { path, node: value, unwatch }
}
