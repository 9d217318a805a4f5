import { checkAccess, identityOf, maskedAcl } from '../tree/acl.ts'
import { statOf, type Znode } from '../tree/data-tree.ts'
import { type Effect, partCodes } from '../tree/transaction.ts'
import type { Watcher, WatchKind } from '../tree/watches.ts'
import { errorCode, KeeperException } from '../wire/errors.ts'
import { type Identity, permission } from '../wire/records.ts'
import { bodies, noBody, type PartResult } from '../wire/replies.ts'
import {
  opCodes,
  type PartRequest,
  type ReadRequest,
  type Request,
  typeOf,
  type WriteRequest,
} from '../wire/requests.ts'
import type { ConnectionSession, KeeperServer } from './server.ts'

/** Executes a request; undefined when it is never answered. Throws {@link KeeperException}. */
export async function perform(
  server: KeeperServer,
  caller: Caller,
  request: Request,
): Promise<OperationResult | undefined> {
  switch (request.op) {
    case 'create':
    case 'create2':
    case 'create-container':
    case 'create-ttl':
    case 'delete':
    case 'check':
    case 'set-data':
    case 'set-acl':
    case 'multi':
    case 'close-session':
      return write(server, caller, request)
    case 'sync':
      return (await server.sync(caller)) ? ok(bodies.path(request.path)) : undefined
    case 'unknown':
      return { code: errorCode.unimplemented, body: noBody, isLast: true }
    case 'ping':
      return ok()
    case 'auth':
      return logIn(caller, request.scheme, request.auth)
    case 'exists':
    case 'get-data':
    case 'get-children':
    case 'get-children2':
    case 'get-acl':
      return read(server, caller, request)
    default:
      return watch(server, caller, request)
  }
}

function logIn(caller: Caller, scheme: string, auth: Buffer): OperationResult {
  const name = identityOf(scheme, auth)
  if (name === undefined) return { ...ok(), code: errorCode.authFailed, isLast: true }
  caller.names = [...caller.names, name]
  return ok()
}

async function write(
  server: KeeperServer,
  caller: Caller,
  request: WriteRequest,
): Promise<OperationResult | undefined> {
  const { session, connection, names } = caller
  const author = {
    session,
    names,
    hasTtl: server.hasTtl,
    firstVersion: server.firstVersion,
    firstSequence: server.firstSequence,
  }
  const committed = await server.submit({ write: request, author, connection })
  if (committed === undefined) return undefined
  if (request.op === 'close-session') return { ...ok(), isLast: true }
  if (request.op === 'multi') {
    const results =
      committed.kind === 'done'
        ? request.parts.map((part, i) => resultOf(part, committed.effects[i]))
        : partCodes(request.parts, committed.at, committed.code).map(failed)
    return ok(bodies.multi(results))
  }
  if (committed.kind === 'refused') throw new KeeperException(committed.code)
  return ok(bodyOf(request.op, committed.effects[0]))
}

function bodyOf(op: PartRequest['op'] | 'set-acl', effect: Effect | undefined): Buffer {
  switch (effect?.kind) {
    case 'created':
      return op === 'create' ? bodies.path(effect.path) : bodies.created(effect.path, statOf(effect.node))
    case 'changed':
      return bodies.stat(statOf(effect.node))
    default:
      return noBody
  }
}

function resultOf(part: PartRequest, effect: Effect | undefined): PartResult {
  const type = typeOf(part)
  switch (effect?.kind) {
    case 'created': {
      // Inside a multi, 3.8.0 answers a create2 as a create, and containers and nodes with a TTL as a create2.
      const isPlain = part.op === 'create' || part.op === 'create2'
      const answered = isPlain ? opCodes.create : opCodes.create2
      return { kind: 'created', type: answered, path: effect.path, stat: statOf(effect.node) }
    }
    case 'changed':
      return { kind: 'stat', type, stat: statOf(effect.node) }
    default:
      return { kind: 'nothing', type }
  }
}

function failed(refused: number): PartResult {
  return { kind: 'failed', code: refused }
}

type TreeRead = Extract<ReadRequest, { readonly watch: boolean }> | AclRead
type AclRead = Extract<ReadRequest, { readonly op: 'get-acl' }>
type WatchRequest = Exclude<ReadRequest, TreeRead | { readonly op: 'auth' | 'ping' | 'sync' }>

/** Reads the node's own tree, and sets a watch when the request has one. Throws {@link KeeperException}. */
function read(
  { tree, watches, existsNeedsRead }: KeeperServer,
  caller: Caller,
  request: TreeRead,
): OperationResult {
  const { path } = request
  const node = tree.find(path)
  // `exists` sets its watch also on a missing node.
  if (request.op === 'exists' && request.watch) watches.add('data', path, caller.watcher)
  if (node === undefined) throw new KeeperException(errorCode.noNode)
  if (request.op === 'exists' && existsNeedsRead) checkAccess(node.acl, permission.read, caller.names)
  if (request.op === 'exists') return ok(bodies.stat(statOf(node)))
  if (request.op === 'get-acl') return readAcl(node, caller)
  checkAccess(node.acl, permission.read, caller.names)
  const kind = request.op === 'get-data' ? 'data' : 'children'
  if (request.watch) watches.add(kind, path, caller.watcher)
  if (request.op === 'get-data') return ok(bodies.data(node.data, statOf(node)))
  const names = tree.childNames(path)
  return ok(request.op === 'get-children' ? bodies.names(names) : bodies.children(names, statOf(node)))
}

/** Sets, checks and removes watches. Throws {@link KeeperException}. */
function watch({ tree, watches }: KeeperServer, { watcher }: Caller, request: WatchRequest): OperationResult {
  switch (request.op) {
    case 'set-watches':
    case 'set-watches2':
      watches.restore(watcher, request, tree)
      return ok()
    case 'add-watch':
      watches.addPersistent(request.path, watcher, modeOf(request.mode))
      return ok(bodies.code(errorCode.ok))
    case 'remove-watches':
      return anyOf(request.type, (kind) => watches.remove(kind, request.path, watcher))
    case 'check-watches':
      return anyOf(request.type, (kind) => watches.has(kind, request.path, watcher))
  }
}

function readAcl(node: Znode, { names }: Caller): OperationResult {
  checkAccess(node.acl, permission.read | permission.admin, names)
  return ok(bodies.acl(maskedAcl(node.acl, names), statOf(node)))
}

function modeOf(mode: number): 'persistent' | 'recursive' {
  if (mode === 0) return 'persistent'
  if (mode === 1) return 'recursive'
  throw new KeeperException(errorCode.badArguments)
}

const kindsByType: Readonly<Record<number, readonly WatchKind[]>> = {
  1: ['children'],
  2: ['data'],
  3: ['children', 'data'],
}

function anyOf(type: number, act: (kind: WatchKind) => boolean): OperationResult {
  const kinds = kindsByType[type]
  if (kinds === undefined) throw new KeeperException(errorCode.badArguments)
  const isAny = kinds.map(act).some(Boolean)
  if (!isAny) throw new KeeperException(errorCode.noWatcher)
  return ok()
}

/** The client of a connection. */
export interface Caller extends ConnectionSession {
  /** Its identities, its address first. */
  names: readonly Identity[]
  readonly watcher: Watcher
}

/** The result of a request. */
export interface OperationResult {
  readonly code: number
  readonly body: Buffer
  /** Whether the connection ends after the answer. */
  readonly isLast: boolean
}

/** A successful result. */
function ok(body: Buffer = noBody): OperationResult {
  return { code: errorCode.ok, body, isLast: false }
}
