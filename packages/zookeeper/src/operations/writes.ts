import { multi } from '../driver/multi-request.ts'
import type { Request } from '../driver/request.ts'
import { remove, setAcl, setData } from '../driver/write-requests.ts'
import type { Acl, Bytes, Stat } from '../node.ts'
import type { LiveSession } from '../session/live-session.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { type AclOf, checkAcl } from './acl.ts'
import type { Asked, Asking } from './asking.ts'
import { bytesOf } from './bytes.ts'
import { type Call, checkVersion, Remaining, resolveCall } from './call-options.ts'
import { checkChanges } from './changes.ts'
import { DeletingAll } from './deleting-all.ts'
import { beforeAgain } from './looking-up.ts'
import { isUnknown, lookAfter } from './lost-writes.ts'
import { unlessChrootMissing } from './missing-chroot.ts'
import type { CallOptions, Change, Changed, VersionOptions, WriteOptions } from './operations.ts'
import { checkPath } from './paths.ts'
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
    return this.#resolved(request, version, { name: 'set', path, call, changes: changesBy(options) })
  }

  async delete(
    path: string,
    options?: WriteOptions & { readonly recursive?: boolean | undefined },
  ): Promise<boolean> {
    const call = this.#call('delete', path, options)
    if (options?.recursive !== true) return this.#deleteOne(path, call, options)
    const { reads, asking } = this.#parts
    const remaining = new Remaining(call, () => asking.clock.now())
    const deleteOne = (each: string, step: Call): Promise<boolean> =>
      this.#deleteOne(each, step, { repeatable: true })
    return new DeletingAll(path, { reads, deleteOne, remaining }).run()
  }

  /** All changes or none. A lost answer is unknown: nobody but the caller can tell from the nodes. */
  async multi(changes: readonly Change[], options?: CallOptions): Promise<readonly Changed[]> {
    const { asking, aclOf, timeoutMs } = this.#parts
    const call = resolveCall('multi', options, timeoutMs)
    const checked = checkChanges(changes, asking.chroot, aclOf)
    const path = changes[0]?.path ?? '/'
    const asked = { name: 'multi', path, call, changes: 'once' } as const
    try {
      const done = await asking.ask(multi(checked), asked)
      return done.map((each) =>
        each.kind === 'create' ? { ...each, path: asking.chroot.below(each.path) } : each,
      )
    } catch (error) {
      throw isOfCreate(error, changes) ? unlessChrootMissing(error, asking.chroot) : error
    }
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
    const request = remove(asking.chroot.above(path), checkVersion('delete', path, version))
    try {
      await this.#resolved(request, version, { name: 'delete', path, call, changes: changesBy(options) })
      return true
    } catch (error) {
      if (error instanceof ZookeeperError && error.code === 'no-node') return false
      throw error
    }
  }

  // A write with a version whose answer was lost: while the node has that version, it was not done, and is tried again.
  async #resolved<T>(
    request: Request<T>,
    version: number | undefined,
    { call, ...asked }: Asked,
  ): Promise<T> {
    const { asking, lastZxid, session } = this.#parts
    const { path } = asked
    const remaining = new Remaining(call, () => asking.clock.now())
    for (let round = 0; ; round++) {
      const knownZxid = lastZxid()
      const before = session()
      try {
        return await asking.ask(request, { ...asked, call: remaining.call })
      } catch (error) {
        if (version === undefined || !isUnknown(error)) throw error
        const isSameSession = (): boolean => session() === before
        await lookAfter(this.#parts, { path, version, knownZxid, isSameSession, error, remaining })
      }
      await beforeAgain(asking, remaining, round, asked)
    }
  }

  #call(name: string, path: string, options: WriteOptions | undefined): Call {
    checkPath(path)
    return resolveCall(name, options, this.#parts.timeoutMs, ['version', 'repeatable', 'recursive'])
  }
}

// Whether it was a create, and nothing else, that a multi was refused for.
function isOfCreate(error: unknown, changes: readonly Change[]): boolean {
  if (!(error instanceof ZookeeperError)) return false
  return changes.every(({ kind, path }) => kind === 'create' || path !== error.path)
}

function changesBy(options: WriteOptions | undefined): Asked['changes'] {
  return options?.repeatable === true ? 'again' : 'once'
}
