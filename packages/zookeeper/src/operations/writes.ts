import { isChrootMissing } from '../chroot.ts'
import { withDetails, ZookeeperError } from '../errors.ts'
import type { Acl, Bytes, Stat } from '../node.ts'
import { MalformedError } from '../protocol/error-codes.ts'
import type { Change, Changed } from '../protocol/multi.ts'
import { multi, type ResolvedChange } from '../protocol/multi.ts'
import { type Request, remove, setAcl, setData } from '../protocol/requests.ts'
import type { LiveSession } from '../session/session.ts'
import { type AclOf, aclFor, checkAcl } from './acl.ts'
import {
  CallDeadline,
  type CallLimits,
  checkChoice,
  checkSentVersion,
  checkVersion,
  encodeData,
  resolveCall,
} from './call-options.ts'
import type { RecreateChroot } from './create.ts'
import type { CallOptions, VersionOptions, WriteOptions } from './operations.ts'
import { checkPath, childOf } from './paths.ts'
import type { Reads } from './reads.ts'
import type { RequestDetails, RequestExecutor } from './request-executor.ts'
import { confirmNotDone, isOutcomeUnknown, pauseBeforeRetry } from './unknown-outcome.ts'

interface WritesDeps {
  readonly executor: RequestExecutor
  readonly reads: Reads
  readonly timeoutMs: number
  readonly aclOf: AclOf
  readonly recreateChroot: RecreateChroot
  /** The highest zxid of all replies. */
  readonly lastZxid: () => bigint
  readonly session: () => LiveSession | undefined
}

/** Changes of existing nodes, and several changes as one. */
export class Writes {
  readonly #deps: WritesDeps

  constructor(deps: WritesDeps) {
    this.#deps = deps
  }

  set(path: string, data: Bytes, options?: WriteOptions): Promise<Stat> {
    const call = this.#call('set', path, options)
    const { executor } = this.#deps
    const version = options?.version
    const at = executor.chroot.toServer(path)
    const bytes = encodeData(data, 'set', path, executor.maxDataBytes)
    checkVersion('set', path, version)
    const request = version === -1 ? setLastVersion(at, bytes) : setData(at, bytes, version)
    return this.#resolveLostWrite(request, version, { name: 'set', path, call, effect: effectOf(options) })
  }

  async delete(
    path: string,
    options?: WriteOptions & { readonly recursive?: boolean | undefined },
  ): Promise<boolean> {
    const call = this.#call('delete', path, options)
    checkDeletable('delete', path, this.#deps.executor.chroot.toServer(path))
    if (options?.recursive !== true) return this.#deleteOne(path, call, options)
    const { reads, executor } = this.#deps
    const deadline = new CallDeadline(call, () => executor.clock.now())
    const deleteOne = (each: string, step: CallLimits): Promise<boolean> =>
      this.#deleteOne(each, step, { repeatable: true })
    return new RecursiveDelete(path, { reads, deleteOne, deadline }).run()
  }

  /**
   * All changes or none. After a lost reply the outcome is unknown: only the caller can derive it from the nodes.
   */
  async multi(changes: readonly Change[], options?: CallOptions): Promise<readonly Changed[]> {
    const { executor, aclOf, timeoutMs, recreateChroot } = this.#deps
    const call = resolveCall('multi', options, timeoutMs)
    const checked = resolveChanges(changes, executor, aclOf)
    const path = changes[0]?.path ?? '/'
    const details = { name: 'multi', path, effect: 'once' } as const
    const deadline = new CallDeadline(call, () => executor.clock.now())
    for (;;) {
      try {
        const done = await executor.execute(multi(checked), { ...details, call: deadline.remaining })
        return done.map((each) =>
          each.kind === 'create' ? { ...each, path: executor.chroot.toClient(each.path) } : each,
        )
      } catch (error) {
        const isMissing = isCreateError(error, changes) && isChrootMissing(error, executor.chroot)
        if (!isMissing) throw error
        // None of the changes was made.
        await recreateChroot(error, deadline)
      }
    }
  }

  setAcl(path: string, acl: readonly Acl[], options?: VersionOptions): Promise<Stat> {
    const call = this.#call('setAcl', path, options)
    const { executor } = this.#deps
    const version = checkSentVersion('setAcl', path, options?.version)
    const request = setAcl(executor.chroot.toServer(path), checkAcl(acl, path), version)
    // Setting the same ACL again changes nothing; with a version, the second request is refused.
    const effect = options?.version === undefined ? 'idempotent' : 'once'
    return executor.execute(request, { name: 'setAcl', path, call, effect })
  }

  async #deleteOne(path: string, call: CallLimits, options: WriteOptions = {}): Promise<boolean> {
    const { executor } = this.#deps
    const { version } = options
    const at = executor.chroot.toServer(path)
    checkVersion('delete', path, version)
    const request = version === -1 ? removeLastVersion(at) : remove(at, version)
    try {
      await this.#resolveLostWrite(request, version, {
        name: 'delete',
        path,
        call,
        effect: effectOf(options),
      })
      return true
    } catch (error) {
      if (error instanceof ZookeeperError && error.code === 'no-node') return false
      throw error
    }
  }

  // Sends a write with a version again while the node still has that version, because the lost request was not
  // executed.
  async #resolveLostWrite<T>(
    request: Request<T>,
    version: number | undefined,
    { call, ...details }: RequestDetails,
  ): Promise<T> {
    const { executor, lastZxid, session } = this.#deps
    const { path } = details
    const deadline = new CallDeadline(call, () => executor.clock.now())
    for (let round = 0; ; round++) {
      const knownZxid = lastZxid()
      const before = session()
      try {
        return await executor.execute(request, { ...details, call: deadline.remaining })
      } catch (error) {
        if (version === undefined || !isOutcomeUnknown(error)) throw error
        const isSameSession = (): boolean => session() === before
        await confirmNotDone(this.#deps, { path, version, knownZxid, isSameSession, error, deadline })
        await pauseBeforeRetry(executor, deadline, { ...details, round, most: maxRepeats, error })
      }
    }
  }

  #call(name: string, path: string, options: WriteOptions | undefined): CallLimits {
    checkPath(path)
    return resolveCall(name, options, this.#deps.timeoutMs, writeOptionNames)
  }
}

const maxRepeats = 3

// The last version before 0 is -1, which the servers take for any version. A change to it and a check of the version that
// follows, as one transaction, happen for a node with exactly this version.
function setLastVersion(path: string, data: Buffer): Request<Stat> {
  const { opcode, encode, ...request } = multi([
    { kind: 'set', path, data },
    { kind: 'check', path, version: 0 },
  ])
  const decode = (body: Buffer): Stat => {
    const [first] = request.decode(body)
    if (first?.kind !== 'set') throw new MalformedError('a multi that began with a set has no result of it')
    return first.stat
  }
  return { name: 'setData', opcode, path, encode, decode }
}

function removeLastVersion(path: string): Request<void> {
  const { opcode, encode, ...request } = multi([
    { kind: 'set', path, data: '' },
    { kind: 'check', path, version: 0 },
    { kind: 'delete', path },
  ])
  return { name: 'delete', opcode, path, encode, decode: (body) => void request.decode(body) }
}

// Nodes that the servers keep. A recursive delete would find that out after everything below them is gone.
const keptByServers: readonly string[] = ['/', '/zookeeper', '/zookeeper/config', '/zookeeper/quota']

function checkDeletable(what: string, path: string, at: string): void {
  if (!keptByServers.includes(at)) return
  const message = `${what} ${path}: the servers do not delete ${at}; delete nodes below it by their own paths`
  throw new ZookeeperError('invalid-path', message, { path })
}

const writeOptionNames = ['timeoutMs', 'signal', 'version', 'repeatable', 'recursive'] as const

// Whether the multi was refused because of a create and of no other change.
function isCreateError(error: unknown, changes: readonly Change[]): boolean {
  if (!(error instanceof ZookeeperError)) return false
  return changes.every(({ kind, path }) => kind === 'create' || path !== error.path)
}

function effectOf(options: WriteOptions | undefined): RequestDetails['effect'] {
  return options?.repeatable === true ? 'idempotent' : 'once'
}

/** Checks and completes the changes of a multi: server paths, bytes, and an ACL for each new node. */
function resolveChanges(
  changes: readonly Change[],
  { chroot, maxDataBytes }: Pick<RequestExecutor, 'chroot' | 'maxDataBytes'>,
  aclOf: AclOf,
): readonly ResolvedChange[] {
  if (!Array.isArray(changes) || changes.length === 0)
    throw new ZookeeperError('config-invalid', 'multi: expected a list with at least one change')
  return changes.map((change, index) => {
    const what = `multi[${index}]`
    if (typeof change !== 'object' || change === null)
      throw new ZookeeperError(
        'config-invalid',
        `${what}: expected a change such as { kind: 'set', path, data }`,
      )
    checkPath(change.path, `${what}.path`)
    checkChoice(`${what}.kind`, change.path, change.kind, changeKinds)
    const data = 'data' in change ? encodeData(change.data, what, change.path, maxDataBytes) : Buffer.alloc(0)
    return resolveChange(what, change, { path: chroot.toServer(change.path), data }, aclOf)
  })
}

const changeKinds: readonly Change['kind'][] = ['create', 'set', 'delete', 'check']

function resolveChange(
  what: string,
  change: Change,
  { path, data }: { readonly path: string; readonly data: Buffer },
  aclOf: AclOf,
): ResolvedChange {
  switch (change.kind) {
    case 'create': {
      const acl = aclFor(change.path, change.acl, aclOf)
      return { ...change, path, data, acl }
    }
    case 'set':
      checkSentVersion(what, change.path, change.version)
      return { ...change, path, data }
    case 'delete':
      checkDeletable(what, change.path, path)
      checkSentVersion(what, change.path, change.version)
      return { ...change, path }
    case 'check':
      // A check without a version would check nothing.
      checkSentVersion(what, change.path, change.version ?? null)
      return { ...change, path }
  }
}

interface RecursiveDeleteDeps {
  readonly reads: Pick<Reads, 'someChildren'>
  /** Deletes one node; false when it does not exist. The request may be repeated. */
  readonly deleteOne: (path: string, call: CallLimits) => Promise<boolean>
  readonly deadline: CallDeadline
}

// As many requests are under way at once; a folder of 20 000 nodes would take a minute one by one.
const concurrentDeletes = 32

/**
 * Deletes a node and the tree below it, from the leaves up, within the deadline of the call. A list of children that
 * exceeds the limit of a reply is deleted part by part.
 */
class RecursiveDelete {
  readonly #deps: RecursiveDeleteDeps
  readonly #path: string
  #deleted = 0
  #isFailed = false

  constructor(path: string, deps: RecursiveDeleteDeps) {
    this.#deps = deps
    this.#path = path
  }

  /** False when the node did not exist. The outcome is unknown once any node has been deleted. */
  async run(): Promise<boolean> {
    try {
      return await this.#deleteTree(this.#path)
    } catch (error) {
      this.#isFailed = true
      throw this.#deleted > 0 && error instanceof ZookeeperError ? this.#partialError(error) : error
    }
  }

  // Nodes that other clients create below it meanwhile are deleted as well.
  async #deleteTree(path: string): Promise<boolean> {
    const { reads, deadline } = this.#deps
    for (let wasThere = false; ; wasThere = true) {
      this.#check()
      const names = await reads.someChildren(path, deadline.remaining)
      if (names === undefined) return wasThere
      const folders = await this.#deleteLeaves(names.map((name) => childOf(path, name)))
      for (const folder of folders) await this.#deleteTree(folder)
      if ((await this.#deleteNode(path)) !== 'not-empty') return true
    }
  }

  /** Deletes the nodes that have no children, and returns the others. */
  async #deleteLeaves(paths: readonly string[]): Promise<readonly string[]> {
    const folders: string[] = []
    const next = paths.values()
    const work = async (): Promise<void> => {
      for (const path of next) {
        if (this.#isFailed) return
        if ((await this.#deleteNode(path)) === 'not-empty') folders.push(path)
      }
    }
    await Promise.all(Array.from({ length: concurrentDeletes }, work))
    return folders
  }

  async #deleteNode(path: string): Promise<'deleted' | 'missing' | 'not-empty'> {
    const { deleteOne, deadline } = this.#deps
    this.#check()
    try {
      if (!(await deleteOne(path, deadline.remaining))) return 'missing'
    } catch (error) {
      if (error instanceof ZookeeperError && error.code === 'not-empty') return 'not-empty'
      throw error
    }
    this.#deleted += 1
    return 'deleted'
  }

  #check(): void {
    this.#deps.deadline.check(`delete ${this.#path}`, this.#path)
  }

  #partialError(cause: ZookeeperError): ZookeeperError {
    const message = `delete ${this.#path}: ${this.#deleted} nodes were deleted, and then: ${cause.message}`
    return withDetails(cause, { message, outcome: 'unknown', cause })
  }
}
