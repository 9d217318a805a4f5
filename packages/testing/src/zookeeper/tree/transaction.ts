import { errorCode, KeeperException } from '../wire/errors.ts'
import { type Identity, permission } from '../wire/records.ts'
import type { CreateRequest, PartRequest, WriteRequest } from '../wire/requests.ts'
import { checkAccess, resolveAcl } from './acl.ts'
import { type Change, containerOwner, type DataTree, isEphemeral, ttlOwner, type Znode } from './data-tree.ts'
import { checkPath, parentOf } from './path.ts'

/** The author of a write. */
export interface WriteAuthor {
  readonly session: bigint
  readonly names: readonly Identity[]
  /** Whether the ensemble has nodes with a TTL. */
  readonly hasTtl: boolean
  /** The data version of new nodes. */
  readonly firstVersion: number
  /** The number of the first sequential child. */
  readonly firstSequence: number
}

/** The effect of a change. */
export type Effect =
  | { readonly kind: 'created'; readonly path: string; readonly node: Znode }
  | { readonly kind: 'changed'; readonly node: Znode }
  | { readonly kind: 'nothing' }

const nothing: Effect = { kind: 'nothing' }

/**
 * Adds one change to the draft; throws {@link KeeperException}, and leaves the draft as it was, when it is not
 * allowed.
 */
export function prepareWrite(
  draft: TransactionDraft,
  part: PartRequest | SetAcl,
  author: WriteAuthor,
): Effect {
  switch (part.op) {
    case 'delete':
      return remove(draft, part, author)
    case 'set-data':
      return setData(draft, part, author)
    case 'set-acl':
      return setAcl(draft, part, author)
    case 'check':
      return check(draft, part, author)
    default:
      return create(draft, part, author)
  }
}

type SetAcl = Extract<WriteRequest, { readonly op: 'set-acl' }>
type Versioned = Extract<PartRequest, { readonly op: 'delete' | 'check' }>
type SetData = Extract<PartRequest, { readonly op: 'set-data' }>

const [ephemeral, sequential, container, withTtl, sequentialWithTtl] = [1, 2, 4, 5, 6]

function create(draft: TransactionDraft, request: CreateRequest, author: WriteAuthor): Effect {
  const { zxid, timeMs } = draft.stamp
  const owner = ownerOf(request, author)
  const isSequential =
    request.flags === sequentialWithTtl || (request.flags < 4 && (request.flags & sequential) !== 0)
  // The parent is checked before the name.
  if (!request.path.includes('/')) throw new KeeperException(errorCode.badArguments)
  const acl = resolveAcl(request.acl, author.names)
  const parent = found(draft, parentOf(request.path))
  checkAccess(parent.acl, permission.create, author.names)
  const path = isSequential
    ? `${request.path}${sequenceText((parent.childSequence + author.firstSequence) | 0)}`
    : request.path
  checkPath(path)
  if (draft.find(path) !== undefined) throw new KeeperException(errorCode.nodeExists)
  if (isEphemeral(parent)) throw new KeeperException(errorCode.noChildrenForEphemerals)
  const node: Znode = {
    data: request.data,
    acl,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctimeMs: timeMs,
    mtimeMs: timeMs,
    version: author.firstVersion,
    aversion: 0,
    childSequence: 0,
    childCount: 0,
    owner,
  }
  draft.create(path, node, parent)
  return { kind: 'created', path, node }
}

// As Java's `%010d`.
function sequenceText(sequence: number): string {
  return sequence < 0 ? `-${String(-sequence).padStart(9, '0')}` : String(sequence).padStart(10, '0')
}

function remove(draft: TransactionDraft, { path, version }: Versioned, { names }: WriteAuthor): Effect {
  checkPath(path)
  if (path === '/') throw new KeeperException(errorCode.badArguments)
  const parent = found(draft, parentOf(path))
  checkAccess(parent.acl, permission.delete, names)
  const node = found(draft, path)
  checkVersion(node.version, version)
  if (node.childCount > 0) throw new KeeperException(errorCode.notEmpty)
  draft.remove(path, node, parent)
  return nothing
}

function setData(draft: TransactionDraft, { path, data, version }: SetData, { names }: WriteAuthor): Effect {
  checkPath(path)
  const node = found(draft, path)
  checkAccess(node.acl, permission.write, names)
  checkVersion(node.version, version)
  const { zxid, timeMs } = draft.stamp
  return changed(draft, 'data', path, {
    ...node,
    data,
    version: (node.version + 1) | 0,
    mzxid: zxid,
    mtimeMs: timeMs,
  })
}

function setAcl(draft: TransactionDraft, { path, acl, version }: SetAcl, { names }: WriteAuthor): Effect {
  checkPath(path)
  const resolved = resolveAcl(acl, names)
  const node = found(draft, path)
  checkAccess(node.acl, permission.admin, names)
  checkVersion(node.aversion, version)
  return changed(draft, 'acl', path, { ...node, acl: resolved, aversion: node.aversion + 1 })
}

function check(draft: TransactionDraft, { path, version }: Versioned, { names }: WriteAuthor): Effect {
  checkPath(path)
  const node = found(draft, path)
  checkAccess(node.acl, permission.read, names)
  checkVersion(node.version, version)
  return nothing
}

function changed(draft: TransactionDraft, kind: 'data' | 'acl', path: string, node: Znode): Effect {
  draft.change(kind, path, node)
  return { kind: 'changed', node }
}

function found(draft: TransactionDraft, path: string): Znode {
  const node = draft.find(path)
  if (node === undefined) throw new KeeperException(errorCode.noNode)
  return node
}

function checkVersion(actual: number, expected: number): void {
  if (expected !== -1 && expected !== actual) throw new KeeperException(errorCode.badVersion)
}

function ownerOf({ flags, ttlMs }: CreateRequest, { session, hasTtl }: WriteAuthor): bigint {
  switch (flags) {
    case 0:
    case sequential:
      return 0n
    case ephemeral:
    case ephemeral | sequential:
      return session
    case container:
      return containerOwner
    case withTtl:
    case sequentialWithTtl:
      if (!hasTtl) throw new KeeperException(errorCode.unimplemented)
      if (ttlMs <= 0n) throw new KeeperException(errorCode.badArguments)
      return ttlOwner(ttlMs)
    default:
      throw new KeeperException(errorCode.badArguments)
  }
}

/** The result of a multi: all effects, or the part that was rejected and its code. */
type PreparedMulti =
  | { readonly kind: 'done'; readonly effects: readonly Effect[] }
  | { readonly kind: 'refused'; readonly at: number; readonly code: number }

/** Adds all changes to the draft. When one is rejected, the draft must be discarded. */
export function prepareMulti(
  draft: TransactionDraft,
  parts: readonly PartRequest[],
  author: WriteAuthor,
): PreparedMulti {
  const effects: Effect[] = []
  for (const [at, part] of parts.entries()) {
    try {
      effects.push(prepareWrite(draft, part, author))
    } catch (error) {
      if (error instanceof KeeperException) return { kind: 'refused', at, code: error.code }
      throw error
    }
  }
  return { kind: 'done', effects }
}

/** The codes of the parts of a multi that was rejected at one of them; the parts behind it were not checked. */
export function partCodes(parts: readonly PartRequest[], at: number, refused: number): readonly number[] {
  return parts.map((_, i) => (i < at ? errorCode.ok : i === at ? refused : errorCode.runtimeInconsistency))
}

/** The id and the time of a transaction. */
interface TransactionStamp {
  readonly zxid: bigint
  readonly timeMs: number
}

/** The changes of a transaction before it is committed, and the tree with them. */
export class TransactionDraft {
  readonly stamp: TransactionStamp
  readonly #tree: DataTree
  readonly #touched = new Map<string, Znode | undefined>()
  readonly #changes: Change[] = []

  constructor(tree: DataTree, stamp: TransactionStamp) {
    this.#tree = tree
    this.stamp = stamp
  }

  get changes(): readonly Change[] {
    return this.#changes
  }

  find(path: string): Znode | undefined {
    return this.#touched.has(path) ? this.#touched.get(path) : this.#tree.find(path)
  }

  create(path: string, node: Znode, parent: Znode): void {
    const after = {
      ...parent,
      childSequence: parent.childSequence + 1,
      childCount: parent.childCount + 1,
      pzxid: this.stamp.zxid,
    }
    this.#record({ kind: 'created', path, node, parent: after })
  }

  remove(path: string, node: Znode, parent: Znode): void {
    const after = { ...parent, childCount: parent.childCount - 1, pzxid: this.stamp.zxid }
    this.#record({ kind: 'deleted', path, node, parent: after })
  }

  change(kind: 'data' | 'acl', path: string, node: Znode): void {
    this.#record({ kind, path, node, parent: undefined })
  }

  #record(change: Change): void {
    const { kind, path, node, parent } = change
    if (parent !== undefined) this.#touched.set(parentOf(path), parent)
    this.#touched.set(path, kind === 'deleted' ? undefined : node)
    this.#changes.push(change)
  }
}
