import { isChrootMissing } from '../chroot.ts'
import { ZookeeperError } from '../errors.ts'
import type { Bytes, Created } from '../node.ts'
import { create } from '../protocol/requests.ts'
import type { LiveSession } from '../session/session.ts'
import { type AclOf, aclFor, allowsCreate } from './acl.ts'
import { CallDeadline, type CallLimits, checkChoice, encodeData, resolveCall } from './call-options.ts'
import type { CreateOptions } from './operations.ts'
import { checkPath, childOf, nameOf, parentOf } from './paths.ts'
import type { Reads } from './reads.ts'
import type { RequestDetails, RequestExecutor } from './request-executor.ts'
import { isOutcomeUnknown, pauseBeforeRetry, resolveOutcome } from './unknown-outcome.ts'

interface NodeCreatorDeps {
  readonly executor: RequestExecutor
  readonly reads: Reads
  readonly timeoutMs: number
  readonly aclOf: AclOf
  readonly parentAclOf: AclOf
  /** Creates a missing chroot again where the options allow it; else rejects with an error that says what to do. */
  readonly recreateChroot: RecreateChroot
  /** The session that ephemeral nodes are created in; undefined while there is none. */
  readonly session: () => LiveSession | undefined
}

/** See {@link NodeCreatorDeps.recreateChroot}; `error` is the error of the create that found no chroot. */
export type RecreateChroot = (error: ZookeeperError, deadline: CallDeadline) => Promise<void>

/** A node to be created, checked and completed. */
interface CreateSpec {
  readonly path: string
  readonly data: Buffer
  readonly kind: 'persistent' | 'ephemeral' | 'container'
  readonly sequential: boolean
  readonly ttlMs: number | undefined
  readonly acl: CreateOptions['acl']
  readonly protect: boolean
  readonly parents: boolean | 'container'
  /** Whether it is created on the way to another node. */
  readonly isParent: boolean
}

/** Creates nodes: with their missing parents, and found again by a protection mark when the reply was lost. */
export class NodeCreator {
  readonly #deps: NodeCreatorDeps

  constructor(deps: NodeCreatorDeps) {
    this.#deps = deps
  }

  async create(path: string, data?: Bytes, options: CreateOptions = {}): Promise<Created> {
    checkPath(path)
    const { executor, timeoutMs } = this.#deps
    const call = resolveCall('create', options, timeoutMs, createOptionNames)
    const deadline = new CallDeadline(call, () => executor.clock.now())
    const spec = createSpec(path, data, options, executor.maxDataBytes)
    const protectedSpec = spec.protect ? { ...spec, path: protectName(path, executor.random) } : spec
    return this.#withParents(protectedSpec, deadline)
  }

  async #withParents(spec: CreateSpec, deadline: CallDeadline): Promise<Created> {
    for (;;) {
      try {
        return spec.protect
          ? await this.#createProtected(spec, deadline)
          : await this.#send(spec, deadline.remaining)
      } catch (error) {
        if (!isOrphan(error)) throw error
        await this.#createParentOf(spec, spec.parents, error, deadline)
      }
    }
  }

  // The create of `below` found no parent. Parents are created from the bottom up, because a folder further up may allow
  // a create and not be readable. The servers may remove an empty container again before its first child is there: the
  // create then finds no parent once more.
  async #createParentOf(
    below: CreateSpec,
    kind: CreateSpec['parents'],
    error: ZookeeperError,
    deadline: CallDeadline,
  ): Promise<void> {
    const { executor, recreateChroot } = this.#deps
    if (isChrootMissing(error, executor.chroot)) return recreateChroot(error, deadline)
    const path = parentOf(below.path)
    if (kind === false || path === '/' || deadline.isOver) throw error
    const given = below.acl !== undefined && allowsCreate(below.acl) ? below.acl : undefined
    const parent: CreateSpec = { ...parentSpec, path, acl: given }
    for (;;) {
      try {
        await this.#createParent(parent, kind === 'container', deadline)
        return
      } catch (failed) {
        if (!isOrphan(failed)) throw failed
        await this.#createParentOf(parent, true, failed, deadline)
      }
    }
  }

  async #createParent(parent: CreateSpec, isContainer: boolean, deadline: CallDeadline): Promise<void> {
    try {
      await this.#sendParent(parent, isContainer, deadline)
    } catch (error) {
      if (!(error instanceof ZookeeperError)) throw error
      if (error.code === 'node-exists') return
      // Also the create of an existing node is refused where its parent does not allow creates.
      if (error.code !== 'no-auth' || !(await this.#isThere(parent.path, deadline))) throw error
    }
  }

  // Servers before 3.5 have no containers: the parent becomes a persistent node there.
  async #sendParent(parent: CreateSpec, isContainer: boolean, deadline: CallDeadline): Promise<void> {
    try {
      const kind = isContainer ? 'container' : 'persistent'
      await this.#send({ ...parent, kind }, deadline.remaining, 'idempotent')
    } catch (error) {
      if (!isContainer || !(error instanceof ZookeeperError) || error.code !== 'unsupported') throw error
      await this.#send(parent, deadline.remaining, 'idempotent')
    }
  }

  // Servers from 3.8.4 and 3.9.2 on refuse to say whether a node exists that may not be read, and only then.
  async #isThere(path: string, deadline: CallDeadline): Promise<boolean> {
    try {
      return (await this.#deps.reads.plain.exists(path, deadline.remaining)) !== undefined
    } catch (error) {
      if (error instanceof ZookeeperError && error.code === 'no-auth') return true
      throw error
    }
  }

  async #createProtected(spec: CreateSpec, deadline: CallDeadline): Promise<Created> {
    for (let round = 0; ; round++) {
      const session = this.#deps.session()
      try {
        return await this.#send(spec, deadline.remaining)
      } catch (error) {
        if (!isOutcomeUnknown(error) || deadline.isOver) throw error
        const found = await this.#afterLoss(spec, deadline, error, session)
        if (found !== undefined) return found
        const repeated = { name: 'create', path: spec.path, round, most: maxRepeats, error }
        await pauseBeforeRetry(this.#deps.executor, deadline, repeated)
      }
    }
  }

  // Finds a node whose reply was lost by its protection mark; undefined when it was not created and can be created
  // again.
  async #afterLoss(
    spec: CreateSpec,
    deadline: CallDeadline,
    error: ZookeeperError,
    before: LiveSession | undefined,
  ): Promise<Created | undefined> {
    const found = await resolveOutcome(this.#deps.executor, deadline, error, () =>
      this.#findCreated(spec, deadline),
    )
    // A request of a former session may still arrive late, and its node would stay.
    if (found === undefined && this.#deps.session() !== before && spec.kind !== 'ephemeral') throw error
    return found
  }

  // Undefined when it was not created, or belongs to a former session.
  async #findCreated(spec: CreateSpec, deadline: CallDeadline): Promise<Created | undefined> {
    const { reads, session } = this.#deps
    const parentPath = parentOf(spec.path)
    // This server may lag behind the one that created the node.
    await reads.sync(parentPath, deadline.remaining)
    const children = await reads.plain.children(parentPath, deadline.remaining)
    const name = findProtected(children?.names ?? [], nameOf(spec.path))
    if (name === undefined) return undefined
    const path = childOf(parentPath, name)
    const stat = await reads.plain.exists(path, deadline.remaining)
    if (stat === undefined) return undefined
    const isOurs = spec.kind !== 'ephemeral' || stat.ephemeralOwner === session()?.id
    return isOurs ? { path, stat } : undefined
  }

  async #send(
    spec: CreateSpec,
    call: CallLimits,
    effect: RequestDetails['effect'] = 'once',
  ): Promise<Created> {
    const { executor, aclOf, parentAclOf } = this.#deps
    const { path } = spec
    const acl = aclFor(path, spec.acl, spec.isParent ? parentAclOf : aclOf)
    const request = create({ ...spec, acl, path: executor.chroot.toServer(path) })
    const created = await executor.execute(request, { name: 'create', path, call, effect })
    return { ...created, path: executor.chroot.toClient(created.path) }
  }
}

// The nodes of locks are created for as long as their caller waits: with the pauses, this is a quarter of a minute or more.
const maxRepeats = 20

const createKinds: readonly CreateSpec['kind'][] = ['persistent', 'ephemeral', 'container']

const createOptionNames = [
  'timeoutMs',
  'signal',
  'kind',
  'sequential',
  'ttlMs',
  'parents',
  'protect',
  'acl',
] as const

const parentSpec: Omit<CreateSpec, 'path'> = {
  data: Buffer.alloc(0),
  kind: 'persistent',
  sequential: false,
  ttlMs: undefined,
  acl: undefined,
  protect: false,
  parents: false,
  isParent: true,
}

function createSpec(
  path: string,
  data: Bytes | undefined,
  options: CreateOptions,
  maxDataBytes: number,
): CreateSpec {
  const { kind = 'persistent', sequential = false, ttlMs, acl, parents = false } = options
  const { protect = sequential } = options
  checkChoice('create.kind', path, kind, createKinds)
  return {
    path,
    data: encodeData(data, 'create', path, maxDataBytes),
    kind,
    sequential,
    ttlMs,
    acl,
    protect,
    parents,
    isParent: false,
  }
}

function isOrphan(error: unknown): error is ZookeeperError {
  return error instanceof ZookeeperError && error.code === 'no-node'
}

// Curator's form of a protected name: `_c_`, a UUID, a dash, and the name.
const protectionPrefix = '_c_'

/**
 * Adds a protection mark to the last name of a path, by which the node is found when the reply to its create is lost.
 */
function protectName(path: string, random: () => number): string {
  return childOf(parentOf(path), `${protectionPrefix}${uuid(random)}-${nameOf(path)}`)
}

/**
 * The child that a create under this protected name has made, with the number of the server if it is sequential.
 */
function findProtected(names: readonly string[], protectedName: string): string | undefined {
  return names.find((name) => name.startsWith(protectedName))
}

/** Removes the protection mark from a name. */
export function unmarked(name: string): string {
  return name.replace(/^_c_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-/, '')
}

// A UUID of version 4, from the injected randomness.
function uuid(random: () => number): string {
  const digit = (): string => Math.floor(random() * 16).toString(16)
  const digits = (count: number): string => Array.from({ length: count }, digit).join('')
  const variant = (8 + Math.floor(random() * 4)).toString(16)
  return `${digits(8)}-${digits(4)}-4${digits(3)}-${variant}${digits(3)}-${digits(12)}`
}
