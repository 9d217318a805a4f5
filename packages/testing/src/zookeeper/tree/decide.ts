import { type Identity, permission } from '../wire/acl.ts'
import { code } from '../wire/code.ts'
import type { CreateRequest, PartRequest, WriteRequest } from '../wire/request.ts'
import { checkAccess, resolvedAcl } from './access.ts'
import type { Draft } from './draft.ts'
import { checkPath, parentOf } from './path.ts'
import { Refusal } from './refusal.ts'
import { containerOwner, isEphemeral, ttlOwner, type Znode } from './znode.ts'

/** Who asks. */
export interface Author {
  readonly session: bigint
  readonly names: readonly Identity[]
  /** Whether the ensemble has nodes with a TTL. */
  readonly hasTtl: boolean
}

/** What a change did. */
export type Effect =
  | { readonly kind: 'created'; readonly path: string; readonly node: Znode }
  | { readonly kind: 'changed'; readonly node: Znode }
  | { readonly kind: 'nothing' }

const nothing: Effect = { kind: 'nothing' }

/** Puts one change into the draft; throws {@link Refusal}, and leaves the draft as it was, when it must not be. */
export function decide(draft: Draft, part: PartRequest | SetAcl, author: Author): Effect {
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

function create(draft: Draft, request: CreateRequest, author: Author): Effect {
  const { zxid, timeMs } = draft.stamp
  const owner = ownerOf(request, author)
  const isSequential =
    request.flags === sequentialWithTtl || (request.flags < 4 && (request.flags & sequential) !== 0)
  // The parent is looked for before the name is looked at.
  if (!request.path.includes('/')) throw new Refusal(code.badArguments)
  const acl = resolvedAcl(request.acl, author.names)
  const parent = found(draft, parentOf(request.path))
  checkAccess(parent.acl, permission.create, author.names)
  const path = isSequential ? `${request.path}${String(parent.born).padStart(10, '0')}` : request.path
  checkPath(path)
  if (draft.find(path) !== undefined) throw new Refusal(code.nodeExists)
  if (isEphemeral(parent)) throw new Refusal(code.noChildrenForEphemerals)
  const node: Znode = {
    data: request.data,
    acl,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctimeMs: timeMs,
    mtimeMs: timeMs,
    version: 0,
    aversion: 0,
    born: 0,
    childCount: 0,
    owner,
  }
  draft.create(path, node, parent)
  return { kind: 'created', path, node }
}

function remove(draft: Draft, { path, version }: Versioned, { names }: Author): Effect {
  checkPath(path)
  if (path === '/') throw new Refusal(code.badArguments)
  const parent = found(draft, parentOf(path))
  checkAccess(parent.acl, permission.delete, names)
  const node = found(draft, path)
  checkVersion(node.version, version)
  if (node.childCount > 0) throw new Refusal(code.notEmpty)
  draft.remove(path, node, parent)
  return nothing
}

function setData(draft: Draft, { path, data, version }: SetData, { names }: Author): Effect {
  checkPath(path)
  const node = found(draft, path)
  checkAccess(node.acl, permission.write, names)
  checkVersion(node.version, version)
  const { zxid, timeMs } = draft.stamp
  return changed(draft, 'data', path, {
    ...node,
    data,
    version: node.version + 1,
    mzxid: zxid,
    mtimeMs: timeMs,
  })
}

function setAcl(draft: Draft, { path, acl, version }: SetAcl, { names }: Author): Effect {
  checkPath(path)
  const resolved = resolvedAcl(acl, names)
  const node = found(draft, path)
  checkAccess(node.acl, permission.admin, names)
  checkVersion(node.aversion, version)
  return changed(draft, 'acl', path, { ...node, acl: resolved, aversion: node.aversion + 1 })
}

function check(draft: Draft, { path, version }: Versioned, { names }: Author): Effect {
  checkPath(path)
  const node = found(draft, path)
  checkAccess(node.acl, permission.read, names)
  checkVersion(node.version, version)
  return nothing
}

function changed(draft: Draft, kind: 'data' | 'acl', path: string, node: Znode): Effect {
  draft.change(kind, path, node)
  return { kind: 'changed', node }
}

function found(draft: Draft, path: string): Znode {
  const node = draft.find(path)
  if (node === undefined) throw new Refusal(code.noNode)
  return node
}

function checkVersion(actual: number, expected: number): void {
  if (expected !== -1 && expected !== actual) throw new Refusal(code.badVersion)
}

function ownerOf({ flags, ttlMs }: CreateRequest, { session, hasTtl }: Author): bigint {
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
      if (!hasTtl) throw new Refusal(code.unimplemented)
      if (ttlMs <= 0n) throw new Refusal(code.badArguments)
      return ttlOwner(ttlMs)
    default:
      throw new Refusal(code.badArguments)
  }
}
