import { multi } from '../driver/multi-request.ts'
import { remove, setAcl, setData } from '../driver/write-requests.ts'
import type { Acl, Bytes, Stat } from '../node.ts'
import type { LiveSession } from '../session/live-session.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { type AclOf, checkAcl } from './acl.ts'
import type { Asked, Asking } from './asking.ts'
import { bytesOf } from './bytes.ts'
import { type Call, checkVersion, Remaining, resolveCall } from './call-options.ts'
import { checkChanges } from './changes.ts'
import { isUnknown, type Look, lookAfter } from './lost-writes.ts'
import type { CallOptions, Change, Changed, VersionOptions, WriteOptions } from './operations.ts'
import { checkPath, childOf } from './paths.ts'
import type { Reads } from './reads.ts'

export interface WritesParts {
  readonly asking: Asking
  readonly reads: Reads
  readonly timeoutMs: number
  readonly aclOf: AclOf
  /** The latest transaction that any answer has told of. */
  readonly lastZxid: () => bigint
  readonly session: () => LiveSession | undefined
}

/** Changes of nodes that exist, and several changes as one. */
export class Writes {
  readonly #parts: WritesParts

  constructor(parts: WritesParts) {
    this.#parts = parts
  }

  set(path: string, data: Bytes, options?: WriteOptions): Promise<Stat> {
    const call = this.#call('set', path, options)
    const { asking } = this.#parts
    const version = options?.version
    const request = setData(
      asking.chroot.above(path),
      bytesOf(data, 'set', path),
      checkVersion('set', path, version),
    )
    const asked = { name: 'set', path, changes: changesBy(options) }
    return this.#resolved(path, version, call, (step) => asking.ask(request, { ...asked, call: step }))
  }

  async delete(
    path: string,
    options?: WriteOptions & { readonly recursive?: boolean | undefined },
  ): Promise<boolean> {
    const call = this.#call('delete', path, options)
    if (options?.recursive === true) return this.#deleteAll(path, call)
    return this.#deleteOne(path, call, options)
  }

  /** All changes or none. A lost answer is unknown: nobody but the caller can tell from the nodes. */
  async multi(changes: readonly Change[], options?: CallOptions): Promise<readonly Changed[]> {
    const { asking, aclOf, timeoutMs } = this.#parts
    const call = resolveCall('multi', options, timeoutMs)
    const checked = checkChanges(changes, asking.chroot, aclOf)
    const path = changes[0]?.path ?? '/'
    const done = await asking.ask(multi(checked), { name: 'multi', path, call, changes: 'once' })
    return done.map((each) =>
      each.kind === 'create' ? { ...each, path: asking.chroot.below(each.path) } : each,
    )
  }

  setAcl(path: string, acl: readonly Acl[], options?: VersionOptions): Promise<Stat> {
    const call = this.#call('setAcl', path, options)
    const { asking } = this.#parts
    const version = checkVersion('setAcl', path, options?.version)
    const request = setAcl(asking.chroot.above(path), checkAcl(acl, path), version)
    // The same ACL twice is the same ACL; with a version, the second time is refused.
    const changes = options?.version === undefined ? 'again' : 'once'
    return asking.ask(request, { name: 'setAcl', path, call, changes })
  }

  async #deleteOne(path: string, call: Call, options: WriteOptions = {}): Promise<boolean> {
    const { asking } = this.#parts
    const { version } = options
    const changes = changesBy(options)
    const request = remove(asking.chroot.above(path), checkVersion('delete', path, version))
    try {
      await this.#resolved(path, version, call, (step) =>
        asking.ask(request, { name: 'delete', path, call: step, changes }),
      )
      return true
    } catch (error) {
      if (error instanceof ZookeeperError && error.code === 'no-node') return false
      throw error
    }
  }

  // From the leaves up. What is made below it meanwhile is deleted as well, as long as there is time.
  async #deleteAll(path: string, call: Call): Promise<boolean> {
    const { reads, asking } = this.#parts
    const remaining = new Remaining(call, () => asking.clock.now())
    for (;;) {
      const children = await reads.plain.children(path, remaining.call)
      if (children === undefined) return false
      for (const name of children.names) await this.#deleteAll(childOf(path, name), remaining.call)
      const isGone = await this.#deleteOne(path, remaining.call, { repeatable: true }).catch(
        (error: unknown) => (remaining.over ? thrown(error) : refilled(error)),
      )
      if (isGone !== undefined) return isGone
    }
  }

  // A write with a version whose answer was lost: while the node has that version, it was not done, and is tried again.
  async #resolved<T>(
    path: string,
    version: number | undefined,
    call: Call,
    write: (step: Call) => Promise<T>,
  ): Promise<T> {
    const { asking, lastZxid, session } = this.#parts
    const remaining = new Remaining(call, () => asking.clock.now())
    for (;;) {
      const knownZxid = lastZxid()
      const before = session()
      try {
        return await write(remaining.call)
      } catch (error) {
        if (version === undefined || !isUnknown(error)) throw error
        const isSameSession = (): boolean => session() === before
        const look: Look = { path, version, knownZxid, isSameSession, error, remaining }
        await lookAfter(this.#parts, look)
      }
    }
  }

  #call(name: string, path: string, options: WriteOptions | undefined): Call {
    checkPath(path)
    return resolveCall(name, options, this.#parts.timeoutMs, ['version', 'repeatable', 'recursive'])
  }
}

// Undefined when somebody has made another child meanwhile.
function refilled(error: unknown): undefined {
  if (error instanceof ZookeeperError && error.code === 'not-empty') return undefined
  throw error
}

function thrown(error: unknown): never {
  throw error
}

function changesBy(options: WriteOptions | undefined): Asked['changes'] {
  return options?.repeatable === true ? 'again' : 'once'
}
