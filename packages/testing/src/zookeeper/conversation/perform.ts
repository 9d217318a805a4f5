import { identityOf } from '../tree/access.ts'
import type { Effect } from '../tree/decide.ts'
import { codesOf } from '../tree/decide-multi.ts'
import { Refusal } from '../tree/refusal.ts'
import { statOf } from '../tree/znode.ts'
import { code } from '../wire/code.ts'
import { opCodes } from '../wire/op.ts'
import { bodies, noBody, type PartResult } from '../wire/reply.ts'
import { type PartRequest, type Request, typeOf, type WriteRequest } from '../wire/request.ts'
import { type Caller, done, type Result } from './caller.ts'
import { read, watch } from './read.ts'
import type { Server } from './server.ts'

/** Does what a client asks for; undefined when nobody will ever be told. Throws {@link Refusal}. */
export async function perform(server: Server, caller: Caller, request: Request): Promise<Result | undefined> {
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
      return (await server.sync(caller)) ? done(bodies.path(request.path)) : undefined
    case 'unknown':
      return { code: code.unimplemented, body: noBody, isLast: true }
    case 'ping':
      return done()
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

function logIn(caller: Caller, scheme: string, auth: Buffer): Result {
  const name = identityOf(scheme, auth)
  if (name === undefined) return { ...done(), code: code.authFailed, isLast: true }
  caller.names = [...caller.names, name]
  return done()
}

async function write(server: Server, caller: Caller, request: WriteRequest): Promise<Result | undefined> {
  const { session, connection, names } = caller
  const author = { session, names, hasTtl: server.hasTtl }
  const committed = await server.submit({ write: request, author, connection })
  if (committed === undefined) return undefined
  if (request.op === 'close-session') return { ...done(), isLast: true }
  if (request.op === 'multi') {
    const results =
      committed.kind === 'done'
        ? request.parts.map((part, i) => resultOf(part, committed.effects[i]))
        : codesOf(request.parts, committed.at, committed.code).map(failed)
    return done(bodies.multi(results))
  }
  if (committed.kind === 'refused') throw new Refusal(committed.code)
  return done(bodyOf(request.op, committed.effects[0]))
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
