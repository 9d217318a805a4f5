import { create } from '../driver/create-request.ts'
import type { Bytes, Created } from '../node.ts'
import type { LiveSession } from '../session/live-session.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { type AclOf, aclFor } from './acl.ts'
import type { Asked, Asking } from './asking.ts'
import { bytesOf } from './bytes.ts'
import { type Call, Remaining, resolveCall } from './call-options.ts'
import { beforeAgain, lookUp } from './looking-up.ts'
import { isUnknown } from './lost-writes.ts'
import { mark, markedIn } from './mark.ts'
import { unlessChrootMissing } from './missing-chroot.ts'
import type { CreateOptions } from './operations.ts'
import { checkPath, childOf, nameOf, parentOf } from './paths.ts'
import type { Reads } from './reads.ts'
import { checkWord } from './words.ts'

export interface CreatingParts {
  readonly asking: Asking
  readonly reads: Reads
  readonly timeoutMs: number
  readonly aclOf: AclOf
  /** The session that ephemeral nodes are made in; undefined while there is none. */
  readonly session: () => LiveSession | undefined
}

/** A node to be made, checked and completed. */
interface Wanted {
  readonly path: string
  readonly data: Buffer
  readonly kind: 'persistent' | 'ephemeral' | 'container'
  readonly sequential: boolean
  readonly ttlMs: number | undefined
  readonly acl: CreateOptions['acl']
  readonly protect: boolean
  readonly parents: boolean
}

/** The making of nodes: with parents where they are missing, and found again by a mark where an answer was lost. */
export class Creating {
  readonly #parts: CreatingParts

  constructor(parts: CreatingParts) {
    this.#parts = parts
  }

  async create(path: string, data?: Bytes, options: CreateOptions = {}): Promise<Created> {
    checkPath(path)
    const { asking, timeoutMs } = this.#parts
    const call = resolveCall('create', options, timeoutMs, known)
    const remaining = new Remaining(call, () => asking.clock.now())
    const wanted = wantedOf(path, data, options)
    const marked = wanted.protect ? { ...wanted, path: mark(path, asking.random) } : wanted
    return this.#withParents(marked, remaining)
  }

  async #withParents(wanted: Wanted, remaining: Remaining): Promise<Created> {
    for (;;) {
      try {
        return wanted.protect
          ? await this.#protected(wanted, remaining)
          : await this.#once(wanted, remaining.call)
      } catch (error) {
        const isOrphan = error instanceof ZookeeperError && error.code === 'no-node'
        if (!wanted.parents || !isOrphan || remaining.over || parentOf(wanted.path) === '/') throw error
        await this.#parentsOf(wanted.path, remaining)
      }
    }
  }

  /** Makes the nodes above a path, from the top down; those that are there already stay as they are. */
  async #parentsOf(path: string, remaining: Remaining): Promise<void> {
    const above = parentOf(path)
    if (above === '/') return
    if ((await this.#parts.reads.plain.exists(above, remaining.call)) !== undefined) return
    await this.#parentsOf(above, remaining)
    await this.#parent(above, remaining)
  }

  // Servers before 3.5 know no containers: there a parent stays.
  async #parent(path: string, remaining: Remaining): Promise<void> {
    const plain: Wanted = { ...parent, path }
    try {
      await this.#once({ ...plain, kind: 'container' }, remaining.call, 'again')
    } catch (error) {
      if (!(error instanceof ZookeeperError)) throw error
      if (error.code === 'unsupported') await this.#once(plain, remaining.call, 'again').catch(unlessThere)
      else unlessThere(error)
    }
  }

  async #protected(wanted: Wanted, remaining: Remaining): Promise<Created> {
    for (let round = 0; ; round++) {
      const session = this.#parts.session()
      try {
        return await this.#once(wanted, remaining.call)
      } catch (error) {
        const made = await this.#afterLoss(wanted, remaining, error, session)
        if (made !== undefined) return made
      }
      await beforeAgain(this.#parts.asking, remaining, round, { name: 'create', path: wanted.path })
    }
  }

  // Looked for by its mark, a node whose answer was lost is found; undefined when it was not made, and may be again.
  async #afterLoss(
    wanted: Wanted,
    remaining: Remaining,
    error: unknown,
    before: LiveSession | undefined,
  ): Promise<Created | undefined> {
    if (!isUnknown(error) || remaining.over) throw error
    const made = await lookUp(this.#parts.asking, remaining, error, () => this.#find(wanted, remaining))
    // A request of a session that was given up may still come late, and what it made would stay.
    if (made === undefined && this.#parts.session() !== before && wanted.kind !== 'ephemeral') throw error
    return made
  }

  // Undefined when it was not made, or is going with an older session.
  async #find(wanted: Wanted, remaining: Remaining): Promise<Created | undefined> {
    const { reads, session } = this.#parts
    const parentPath = parentOf(wanted.path)
    // This server may lag behind the one that made it.
    await reads.sync(parentPath, remaining.call)
    const children = await reads.plain.children(parentPath, remaining.call)
    const name = markedIn(children?.names ?? [], nameOf(wanted.path))
    if (name === undefined) return undefined
    const path = childOf(parentPath, name)
    const stat = await reads.plain.exists(path, remaining.call)
    if (stat === undefined) return undefined
    const isOurs = wanted.kind !== 'ephemeral' || stat.ephemeralOwner === session()?.id
    return isOurs ? { path, stat } : undefined
  }

  async #once(wanted: Wanted, call: Call, changes: Asked['changes'] = 'once'): Promise<Created> {
    const { asking, aclOf } = this.#parts
    const { path } = wanted
    const acl = aclFor(path, wanted.acl, aclOf)
    const request = create({ ...wanted, acl, path: asking.chroot.above(path) })
    try {
      const created = await asking.ask(request, { name: 'create', path, call, changes })
      return { ...created, path: asking.chroot.below(created.path) }
    } catch (error) {
      throw unlessChrootMissing(error, asking.chroot)
    }
  }
}

const kinds: readonly Wanted['kind'][] = ['persistent', 'ephemeral', 'container']

const known: readonly string[] = ['kind', 'sequential', 'ttlMs', 'parents', 'protect', 'acl']

const parent: Omit<Wanted, 'path'> = {
  data: Buffer.alloc(0),
  kind: 'persistent',
  sequential: false,
  ttlMs: undefined,
  acl: undefined,
  protect: false,
  parents: false,
}

function wantedOf(path: string, data: Bytes | undefined, options: CreateOptions): Wanted {
  const { kind = 'persistent', sequential = false, ttlMs, acl, parents = false } = options
  const { protect = sequential } = options
  checkWord('create.kind', path, kind, kinds)
  return { path, data: bytesOf(data, 'create', path), kind, sequential, ttlMs, acl, protect, parents }
}

function unlessThere(error: unknown): void {
  if (!(error instanceof ZookeeperError) || error.code !== 'node-exists') throw error
}
