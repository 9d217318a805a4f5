import { explainMissingChroot } from '../chroot.ts'
import { ZookeeperError } from '../errors.ts'
import type { Bytes, Created } from '../node.ts'
import { create } from '../protocol/requests.ts'
import type { LiveSession } from '../session/session.ts'
import { type AclOf, aclFor } from './acl.ts'
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
  /** The session that ephemeral nodes are created in; undefined while there is none. */
  readonly session: () => LiveSession | undefined
}

/** A node to be created, checked and completed. */
interface CreateSpec {
  readonly path: string
  readonly data: Buffer
  readonly kind: 'persistent' | 'ephemeral' | 'container'
  readonly sequential: boolean
  readonly ttlMs: number | undefined
  readonly acl: CreateOptions['acl']
  readonly protect: boolean
  readonly parents: boolean
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
    const spec = createSpec(path, data, options)
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
        const isOrphan = error instanceof ZookeeperError && error.code === 'no-node'
        if (!spec.parents || !isOrphan || deadline.isOver || parentOf(spec.path) === '/') throw error
        await this.#createParents(spec.path, deadline)
      }
    }
  }

  /** Creates the ancestors of a path, from the top; existing ones stay as they are. */
  async #createParents(path: string, deadline: CallDeadline): Promise<void> {
    const above = parentOf(path)
    if (above === '/') return
    if ((await this.#deps.reads.plain.exists(above, deadline.remaining)) !== undefined) return
    await this.#createParents(above, deadline)
    await this.#createParent(above, deadline)
  }

  // Servers before 3.5 have no containers: the parent becomes a persistent node there.
  async #createParent(path: string, deadline: CallDeadline): Promise<void> {
    const plain: CreateSpec = { ...parentSpec, path }
    try {
      await this.#send({ ...plain, kind: 'container' }, deadline.remaining, 'idempotent')
    } catch (error) {
      if (!(error instanceof ZookeeperError)) throw error
      if (error.code === 'unsupported')
        await this.#send(plain, deadline.remaining, 'idempotent').catch(ignoreNodeExists)
      else ignoreNodeExists(error)
    }
  }

  async #createProtected(spec: CreateSpec, deadline: CallDeadline): Promise<Created> {
    for (let round = 0; ; round++) {
      const session = this.#deps.session()
      try {
        return await this.#send(spec, deadline.remaining)
      } catch (error) {
        const found = await this.#afterLoss(spec, deadline, error, session)
        if (found !== undefined) return found
      }
      await pauseBeforeRetry(this.#deps.executor, deadline, round, { name: 'create', path: spec.path })
    }
  }

  // Finds a node whose reply was lost by its protection mark; undefined when it was not created and can be created
  // again.
  async #afterLoss(
    spec: CreateSpec,
    deadline: CallDeadline,
    error: unknown,
    before: LiveSession | undefined,
  ): Promise<Created | undefined> {
    if (!isOutcomeUnknown(error) || deadline.isOver) throw error
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
    const { executor, aclOf } = this.#deps
    const { path } = spec
    const acl = aclFor(path, spec.acl, aclOf)
    const request = create({ ...spec, acl, path: executor.chroot.toServer(path) })
    try {
      const created = await executor.execute(request, { name: 'create', path, call, effect })
      return { ...created, path: executor.chroot.toClient(created.path) }
    } catch (error) {
      throw explainMissingChroot(error, executor.chroot)
    }
  }
}

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
}

function createSpec(path: string, data: Bytes | undefined, options: CreateOptions): CreateSpec {
  const { kind = 'persistent', sequential = false, ttlMs, acl, parents = false } = options
  const { protect = sequential } = options
  checkChoice('create.kind', path, kind, createKinds)
  return { path, data: encodeData(data, 'create', path), kind, sequential, ttlMs, acl, protect, parents }
}

function ignoreNodeExists(error: unknown): void {
  if (!(error instanceof ZookeeperError) || error.code !== 'node-exists') throw error
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
