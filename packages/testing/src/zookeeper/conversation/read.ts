import { checkAccess, shownAcl } from '../tree/access.ts'
import { Refusal } from '../tree/refusal.ts'
import type { WatchKind } from '../tree/watches.ts'
import { statOf, type Znode } from '../tree/znode.ts'
import { permission } from '../wire/acl.ts'
import { code } from '../wire/code.ts'
import { bodies } from '../wire/reply.ts'
import type { ReadRequest } from '../wire/request.ts'
import { type Caller, done, type Result } from './caller.ts'
import type { Server } from './server.ts'

type OfTheTree = Extract<ReadRequest, { readonly watch: boolean }> | OfAcl
type OfAcl = Extract<ReadRequest, { readonly op: 'get-acl' }>
type OfWatches = Exclude<ReadRequest, OfTheTree | { readonly op: 'auth' | 'ping' | 'sync' }>

/** Reads what the node knows, and watches it when that is asked for. Throws {@link Refusal}. */
export function read({ tree, watches }: Server, caller: Caller, request: OfTheTree): Result {
  const { path } = request
  const node = tree.find(path)
  // Whoever asks whether a node is there watches one that is not, too.
  if (request.op === 'exists' && request.watch) watches.add('data', path, caller.watcher)
  if (node === undefined) throw new Refusal(code.noNode)
  if (request.op === 'exists') return done(bodies.stat(statOf(node)))
  if (request.op === 'get-acl') return readAcl(node, caller)
  checkAccess(node.acl, permission.read, caller.names)
  const kind = request.op === 'get-data' ? 'data' : 'children'
  if (request.watch) watches.add(kind, path, caller.watcher)
  if (request.op === 'get-data') return done(bodies.data(node.data, statOf(node)))
  const names = tree.childNames(path)
  return done(request.op === 'get-children' ? bodies.names(names) : bodies.children(names, statOf(node)))
}

/** Sets watches, looks for them, and removes them. Throws {@link Refusal}. */
export function watch({ tree, watches }: Server, { watcher }: Caller, request: OfWatches): Result {
  switch (request.op) {
    case 'set-watches':
    case 'set-watches2':
      watches.restore(watcher, request, tree)
      return done()
    case 'add-watch':
      watches.addForGood(request.path, watcher, modeOf(request.mode))
      return done(bodies.code(code.ok))
    case 'remove-watches':
      return anyOf(request.type, (kind) => watches.remove(kind, request.path, watcher))
    case 'check-watches':
      return anyOf(request.type, (kind) => watches.has(kind, request.path, watcher))
  }
}

function readAcl(node: Znode, { names }: Caller): Result {
  checkAccess(node.acl, permission.read | permission.admin, names)
  return done(bodies.acl(shownAcl(node.acl, names), statOf(node)))
}

function modeOf(mode: number): 'persistent' | 'recursive' {
  if (mode === 0) return 'persistent'
  if (mode === 1) return 'recursive'
  throw new Refusal(code.badArguments)
}

const kindsByType: Readonly<Record<number, readonly WatchKind[]>> = {
  1: ['children'],
  2: ['data'],
  3: ['children', 'data'],
}

function anyOf(type: number, act: (kind: WatchKind) => boolean): Result {
  const kinds = kindsByType[type]
  if (kinds === undefined) throw new Refusal(code.badArguments)
  const isAny = kinds.map(act).some(Boolean)
  if (!isAny) throw new Refusal(code.noWatcher)
  return done()
}
