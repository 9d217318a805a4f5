import { randomUUID } from 'node:crypto'
import { type Declaration, isHaError } from '@ha/core'
import { asError, linkedController } from '@ha/core/driver'
import type { ZookeeperConnection } from '../connection/connection.ts'
import { toZookeeperError } from '../connection/error-classification.ts'
import { type ClientContext, isPermanent, refusalDelay } from '../context.ts'
import { ZookeeperError } from '../errors.ts'
import type { Node, WatchEvent } from '../node.ts'
import { callUserFunction } from '../operations/call-options.ts'
import type { CallOptions, Operations } from '../operations/operations.ts'
import { childOf, nameOf, parentOf } from '../operations/paths.ts'
import type { LiveSession } from '../session/session.ts'
import { watchesKey } from '../watches/watches.ts'
import type { ResolvedEphemeralOptions } from './ephemeral.ts'

/** The dependencies of an {@link EphemeralReconciler}. */
export interface ReconcilerDeps {
  readonly context: ClientContext
  /** The key of the declaration. */
  readonly key: string
  readonly location: NodeLocation
  /** Whether a session was an earlier one of this client. */
  readonly wasOurs: (sessionId: bigint) => boolean
  readonly options: Pick<ResolvedEphemeralOptions, 'takeover' | 'parents' | 'acl'>
}

/** The owner of a reconciler: gives the desired node, and is informed about the actual one. */
export interface ReconcilerOwner {
  desired(): DesiredNode
  /** The node exists as desired and belongs to the session. */
  held(session: LiveSession, path: string, czxid: bigint): void
  /** The node does not exist or does not belong to this client. Also called when this was known already. */
  missing(path: string, reason: Error): void
  /** An attempt has failed. */
  failed(error: Error): void
}

/**
 * Brings a node to its desired state, as a declaration of the link: on each connection, after each change of the desired
 * state, and when the watch on the node fires. Each attempt observes the node, takes the next step, and observes again.
 */
export class EphemeralReconciler {
  readonly #deps: ReconcilerDeps
  readonly #owner: ReconcilerOwner
  #lastHeld: bigint | undefined
  /** Removes the watch on the node, while there is one. */
  #unwatch: (() => void) | undefined
  /** Whether the node belonged to another client at the last observation. */
  #isTaken = false
  /** The error of the last attempt, if the next attempt is likely to fail in the same way. */
  #refusal: Error | undefined
  /** The pause after refusals: until it is over, attempts on this connection fail without a request. */
  #pause: RefusalPause | undefined
  /** The message of the refusal that was reported last, so that it is not reported again. */
  #reported: string | undefined

  constructor(deps: ReconcilerDeps, owner: ReconcilerOwner) {
    this.#deps = deps
    this.#owner = owner
  }

  /** The desired state has changed: an attempt for the previous one is abandoned. */
  declare(): void {
    const { context, key } = this.#deps
    const declaration: Declaration<ZookeeperConnection> = {
      key,
      needs: [watchesKey],
      gates: false,
      survives: false,
      timeoutMs: context.operationTimeoutMs,
      apply: (connection, signal) => this.#apply(connection, signal),
    }
    this.#refusal = undefined
    this.#pause = undefined
    context.link.desiredState.declare(declaration)
  }

  /** Stops maintaining the node. */
  forget(): void {
    const { context, key } = this.#deps
    this.#stopWatching()
    context.link.desiredState.forget(key)
  }

  /** Waits until the desired state is reached. Rejects when an attempt is refused and the next one would be as well. */
  async whenDone(signal: AbortSignal): Promise<void> {
    const { context, key } = this.#deps
    const { desiredState } = context.link
    while (!desiredState.isSettled(key)) {
      if (this.#refusal !== undefined) throw this.#refusal
      await desiredState.changed.wait(signal)
    }
  }

  /** The error of the last attempt, until the next attempt begins. */
  get failure(): Error | undefined {
    const { context, key } = this.#deps
    if (this.#refusal !== undefined) return this.#refusal
    const status = context.link.desiredState.status(key)
    return status !== undefined && 'error' in status ? status.error : undefined
  }

  async #apply(connection: ZookeeperConnection, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps.context
    const isPaused = this.#pause?.connection === connection && clock.now() < this.#pause.untilMs
    if (this.#refusal !== undefined && isPaused) throw this.#refused(this.#refusal)
    const session = await this.#deps.context.sessions.waitForSession(signal)
    const scope = linkedController(signal, session.signal)
    try {
      await this.#reconcile(session, scope.signal)
    } catch (thrown) {
      // A server that demands a login ends the connection, and with it the attempt.
      const { loginDemand } = connection
      if (loginDemand !== undefined)
        this.#owner.failed(toZookeeperError(loginDemand, this.#deps.location.path))
      throw scope.signal.aborted ? thrown : this.#failed(asError(thrown), connection)
    } finally {
      scope.unlink()
    }
  }

  // A permanent error is retried as well, with growing pauses: its cause is in the tree or in the user's options or
  // functions, and can be corrected while this client runs.
  #failed(error: Error, connection: ZookeeperConnection): Error {
    this.#owner.failed(error)
    this.#refusal = isPermanent(error) ? error : undefined
    if (this.#refusal === undefined) return error
    const { context, key } = this.#deps
    if (this.#reported !== error.message) context.reportDefect(key, error)
    this.#reported = error.message
    const failures = this.#pause?.failures ?? 0
    const untilMs = context.clock.now() + refusalDelay(failures, context.random)
    this.#pause = { connection, untilMs, failures: failures + 1 }
    return this.#refused(error)
  }

  #refused(cause: Error): ZookeeperError {
    const { path } = this.#deps.location
    return new ZookeeperError('rejected', cause.message, { path, retryable: true, cause })
  }

  // An answer that arrives after the session, the connection or the desired state has changed has no effect.
  async #reconcile(session: LiveSession, signal: AbortSignal): Promise<void> {
    const desired = this.#owner.desired()
    for (let maySettle = false; ; ) {
      const observed = await this.#observe(maySettle && desired.kind === 'present', signal)
      const step = nextStep(observed.node, desired, this.#claim(session))
      if (step.kind !== 'settled' && step.kind !== 'wait') {
        await this.#applyStep(step, observed, signal)
      } else if (maySettle || desired.kind === 'absent' || this.#unwatch !== undefined) {
        return this.#settle({ desired, step, observed, session })
      }
      maySettle = true
    }
  }

  // An existing watch is kept, because it outlives connections.
  async #observe(watching: boolean, signal: AbortSignal): Promise<ObservedNode> {
    if (!watching) return this.#observeWith(undefined, signal)
    this.#stopWatching()
    const observed = await this.#observeWith((event) => this.#onEvent(event), signal)
    this.#unwatch = observed.unwatch
    return observed
  }

  async #observeWith(
    onEvent: ((event: WatchEvent) => void) | undefined,
    signal: AbortSignal,
  ): Promise<ObservedNode> {
    const observed = await this.#deps.location.observe(onEvent, { signal })
    if (signal.aborted) observed.unwatch()
    signal.throwIfAborted()
    return observed
  }

  #claim(session: LiveSession): OwnershipClaim {
    const { wasOurs, options, location } = this.#deps
    return {
      sessionId: session.id,
      wasOurs,
      takesOver: (node) => callUserFunction('takeover', location.path, () => options.takeover(node)),
      lastHeld: this.#lastHeld,
    }
  }

  async #applyStep(step: ChangingStep, { path }: ObservedNode, signal: AbortSignal): Promise<void> {
    const { context, location, options } = this.#deps
    if (step.kind !== 'write') this.#owner.missing(path, deletedError(path))
    this.#stopWatching()
    await applyStep(context.operations, { step, path, location, options }, { signal })
    signal.throwIfAborted()
  }

  #settle({ desired, step, observed: { path, node }, session }: SettledState): void {
    this.#refusal = undefined
    this.#reported = undefined
    this.#pause = undefined
    this.#isTaken = step.kind === 'wait'
    if (step.kind === 'wait') {
      const error = takenError(path)
      this.#owner.missing(path, error)
      throw error
    }
    if (desired.kind === 'absent' || node === undefined) {
      this.#stopWatching()
      return
    }
    this.#lastHeld = node.stat.czxid
    this.#owner.held(session, path, node.stat.czxid)
  }

  #onEvent({ kind, path }: WatchEvent): void {
    const { context, key } = this.#deps
    this.#unwatch = undefined
    const isDeleted = kind === 'deleted'
    const error = isDeleted ? deletedError(path) : modifiedError(path)
    if (isDeleted) this.#owner.missing(path, error)
    // The deletion of another client's node is expected and handled at once; repeated changes to our own node back off.
    context.link.invalidate(key, error, { paced: isDeleted && this.#isTaken })
  }

  #stopWatching(): void {
    this.#unwatch?.()
    this.#unwatch = undefined
  }
}

interface RefusalPause {
  readonly connection: ZookeeperConnection
  /** By the clock. */
  readonly untilMs: number
  readonly failures: number
}

interface SettledState {
  readonly desired: DesiredNode
  readonly step: Exclude<EphemeralStep, ChangingStep>
  readonly observed: ObservedNode
  readonly session: LiveSession
}

function takenError(path: string): ZookeeperError {
  const message = `another session holds ${path}: retried when that node is deleted; pass takeover to replace it`
  return new ZookeeperError('instance-taken', message, { path, retryable: true })
}

function deletedError(path: string): ZookeeperError {
  return new ZookeeperError('no-node', `${path} does not exist: it is being created`, {
    path,
    retryable: true,
  })
}

function modifiedError(path: string): ZookeeperError {
  const message = `another client has written to ${path}: the data are being restored`
  return new ZookeeperError('bad-version', message, { path, retryable: true })
}

/** The desired state of a path. */
export type DesiredNode = { readonly kind: 'present'; readonly data: Buffer } | { readonly kind: 'absent' }

/** What decides whether an observed node belongs to this client. */
export interface OwnershipClaim {
  readonly sessionId: bigint
  /** Whether a session was an earlier one of this client. */
  readonly wasOurs: (sessionId: bigint) => boolean
  /** The czxid of the node that was held last. */
  readonly lastHeld: bigint | undefined
  /** Whether a node of another session belongs to an earlier process of this client. */
  readonly takesOver: (node: Node) => boolean
}

/** The next step towards the desired state. */
export type EphemeralStep =
  /** The desired state is reached. */
  | { readonly kind: 'settled' }
  | { readonly kind: 'create'; readonly data: Buffer }
  | { readonly kind: 'write'; readonly data: Buffer; readonly version: number }
  /** Delete and create in one transaction: readers never see the node missing, and no other client can come between. */
  | { readonly kind: 'replace'; readonly data: Buffer; readonly version: number }
  | { readonly kind: 'delete'; readonly version: number }
  /** The node belongs to another client. */
  | { readonly kind: 'wait' }

/** The owner of a node: this session, an earlier session or process of this client, or another client. */
export type NodeOwner = 'this-session' | 'earlier-session' | 'other-client'

/** The owner of an observed node. */
export function ownerOf(node: Node, claim: OwnershipClaim): NodeOwner {
  const { ephemeralOwner, czxid } = node.stat
  if (ephemeralOwner === claim.sessionId) return 'this-session'
  if (claim.wasOurs(ephemeralOwner)) return 'earlier-session'
  // A node that is younger than our last one displaced it. Displacing that one in turn would never end.
  const isNewer = claim.lastHeld !== undefined && czxid > claim.lastHeld
  return !isNewer && claim.takesOver(node) ? 'earlier-session' : 'other-client'
}

/** The next step for the observed node; `node` is undefined when there is none. */
export function nextStep(node: Node | undefined, desired: DesiredNode, claim: OwnershipClaim): EphemeralStep {
  return desired.kind === 'present' ? towardsPresent(node, desired.data, claim) : towardsAbsent(node, claim)
}

function towardsPresent(node: Node | undefined, data: Buffer, claim: OwnershipClaim): EphemeralStep {
  if (node === undefined) return { kind: 'create', data }
  const { version } = node.stat
  switch (ownerOf(node, claim)) {
    case 'this-session':
      return node.data.equals(data) ? { kind: 'settled' } : { kind: 'write', data, version }
    case 'earlier-session':
      return { kind: 'replace', data, version }
    case 'other-client':
      return { kind: 'wait' }
  }
}

function towardsAbsent(node: Node | undefined, claim: OwnershipClaim): EphemeralStep {
  if (node === undefined || ownerOf(node, claim) === 'other-client') return { kind: 'settled' }
  return { kind: 'delete', version: node.stat.version }
}

/** A step that changes the node. */
type ChangingStep = Exclude<EphemeralStep, { readonly kind: 'settled' | 'wait' }>

interface StepRequest {
  readonly step: ChangingStep
  /** The path of the observed node. */
  readonly path: string
  readonly location: NodeLocation
  readonly options: Pick<ResolvedEphemeralOptions, 'parents' | 'acl'>
}

// Another client was faster: the node must be observed again.
const conflictCodes: Readonly<Record<ChangingStep['kind'], readonly string[]>> = {
  create: ['node-exists'],
  write: ['no-node', 'bad-version'],
  replace: ['no-node', 'bad-version', 'node-exists'],
  delete: ['bad-version'],
}

// The next observation shows the result, also after a conflict.
async function applyStep(operations: Operations, request: StepRequest, limit: CallOptions): Promise<void> {
  try {
    await sendStep(operations, request, limit)
  } catch (thrown) {
    if (!isHaError(thrown) || !conflictCodes[request.step.kind].includes(thrown.code)) throw thrown
  }
}

async function sendStep(operations: Operations, request: StepRequest, limit: CallOptions): Promise<void> {
  const { step, path, location, options } = request
  const { parents, acl } = options
  const { sequential } = location
  switch (step.kind) {
    case 'create': {
      // The next observation finds a node whose create was not answered, so a mark of the client is not needed.
      const create = { ...limit, kind: 'ephemeral', sequential, parents, acl, protect: false } as const
      await operations.create(location.path, step.data, create)
      return
    }
    case 'write':
      await operations.set(path, step.data, { ...limit, version: step.version })
      return
    case 'replace': {
      // Servers compare versions, not owners or czxids: a node with the same version that replaced the observed one is
      // replaced as well. No check in the transaction can prevent this; see `takeover`.
      const create = {
        kind: 'create',
        path: location.path,
        data: step.data,
        ephemeral: true,
        sequential,
        acl,
      } as const
      await operations.multi([{ kind: 'delete', path, version: step.version }, create], limit)
      return
    }
    case 'delete':
      await operations.delete(path, { ...limit, version: step.version })
  }
}

/** Where the node of an ephemeral is. */
export interface NodeLocation {
  /** The path for creates. */
  readonly path: string
  /** Whether the server appends a number. */
  readonly sequential: boolean
  /** Reads the node, and watches it when `onEvent` is given. */
  observe(onEvent: ((event: WatchEvent) => void) | undefined, limit: CallOptions): Promise<ObservedNode>
}

interface ObservedNode {
  /** The path of the node, or the path for creates when there is none. */
  readonly path: string
  readonly node: Node | undefined
  unwatch(): void
}

type NodeReads = Pick<ClientContext, 'operations' | 'watchedReads'>

/** The location of a node whose complete path is known. */
export function fixedLocation(path: string, reads: NodeReads): NodeLocation {
  return { path, sequential: false, observe: (onEvent, limit) => observeNode(path, reads, onEvent, limit) }
}

/**
 * The location of a node to which the server appends a number. The node is found by a mark in its name, in Curator's
 * format, which Curator's readers skip. This also finds a node whose create was not answered.
 */
export function sequentialLocation(path: string, reads: NodeReads): NodeLocation {
  const parent = parentOf(path)
  const marked = `_c_${randomUUID()}-${nameOf(path)}`
  const createPath = childOf(parent, marked)
  return {
    path: createPath,
    sequential: true,
    observe: async (onEvent, limit) => {
      const children = await reads.operations.children(parent, limit)
      const name = latestName(children?.names ?? [], marked)
      if (name === undefined) return { path: createPath, node: undefined, unwatch: () => undefined }
      return observeNode(childOf(parent, name), reads, onEvent, limit)
    },
  }
}

// The number grows with each child and wraps around after the highest of 32 bits: the signed distance gives the order.
// Earlier nodes belong to sessions that are over.
function latestName(names: readonly string[], marked: string): string | undefined {
  const sequenceOf = (name: string): number => Number(name.slice(marked.length))
  const ours = names.filter((name) => name.startsWith(marked))
  return ours.toSorted((a, b) => (sequenceOf(a) - sequenceOf(b)) | 0).at(-1)
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
