import type { Acl, Bytes, Stat } from '../node.ts'
import { MalformedError, ReplyError } from './error-codes.ts'
import { codec } from './jute.ts'
import {
  anyVersion,
  createFlags,
  decodeStat,
  encodeAcl,
  opcodes,
  type Request,
  toBuffer,
} from './requests.ts'

/** One change of a `multi`: all of its changes happen, or none. */
export type Change =
  | {
      readonly kind: 'create'
      readonly path: string
      readonly data?: Bytes | undefined
      readonly ephemeral?: boolean | undefined
      /** The server appends a number of ten digits to the name. Default false. */
      readonly sequential?: boolean | undefined
      /** Default: what the client's `acl` returns for the path. */
      readonly acl?: readonly Acl[] | undefined
    }
  | {
      readonly kind: 'set'
      readonly path: string
      readonly data: Bytes
      readonly version?: number | undefined
    }
  | { readonly kind: 'delete'; readonly path: string; readonly version?: number | undefined }
  | { readonly kind: 'check'; readonly path: string; readonly version: number }

/** The result of one change, in the order of the changes. */
export type Changed =
  | { readonly kind: 'create'; readonly path: string }
  | { readonly kind: 'set'; readonly stat: Stat }
  | { readonly kind: 'delete' | 'check' }

/** A {@link Change} in which a create has its ACL. */
export type ResolvedChange =
  | (Extract<Change, { readonly kind: 'create' }> & { readonly acl: readonly Acl[] })
  | Exclude<Change, { readonly kind: 'create' }>

const header = codec('MultiHeader')
const createRequest = codec('CreateRequest')
const createResponse = codec('CreateResponse')
const setDataRequest = codec('SetDataRequest')
const setDataResponse = codec('SetDataResponse')
const deleteRequest = codec('DeleteRequest')
const checkRequest = codec('CheckVersionRequest')
const errorResponse = codec('ErrorResponse')

/** Makes all changes or none. The `ReplyError` of a refused change has its `index` and `path`. */
export function multi(changes: readonly ResolvedChange[]): Request<readonly Changed[]> {
  return {
    name: 'multi',
    opcode: opcodes.multi,
    path: changes[0]?.path,
    encode: () => Buffer.concat([...changes.flatMap(encodeChange), lastHeader()]),
    decode: (body) => {
      const results = readResults(body)
      throwFirstError(results, changes)
      if (results.length !== changes.length) {
        throw new MalformedError(`a multi of ${changes.length} changes has ${results.length} results`)
      }
      return results.flatMap((result) => (result.kind === 'refused' ? [] : [result]))
    },
  }
}

function encodeChange(change: ResolvedChange): readonly Buffer[] {
  return [header.encode({ type: opcodeOf[change.kind], done: false, err: -1 }), encodeBody(change)]
}

const opcodeOf: Readonly<Record<Change['kind'], number>> = {
  create: opcodes.create,
  set: opcodes.setData,
  delete: opcodes.delete,
  check: opcodes.check,
}

function encodeBody(change: ResolvedChange): Buffer {
  const { path } = change
  switch (change.kind) {
    case 'create': {
      const { data = '', acl, ephemeral = false, sequential = false } = change
      const flags = createFlags({ ephemeral, sequential })
      return createRequest.encode({ path, data: toBuffer(data), acl: encodeAcl(acl), flags })
    }
    case 'set': {
      const { data, version = anyVersion } = change
      return setDataRequest.encode({ path, data: toBuffer(data), version })
    }
    case 'delete':
      return deleteRequest.encode({ path, version: change.version ?? anyVersion })
    case 'check':
      return checkRequest.encode({ path, version: change.version })
  }
}

function lastHeader(): Buffer {
  return header.encode({ type: -1, done: true, err: -1 })
}

type Result = Changed | { readonly kind: 'refused'; readonly code: number }

function readResults(body: Buffer): readonly Result[] {
  const results: Result[] = []
  for (let offset = 0; ; ) {
    const { type, done } = header.decode(body, offset)
    if (done) return results
    const begin = header.endOf(body, offset)
    const { result, end } = readResult(type, body, begin)
    results.push(result)
    offset = end
  }
}

function readResult(
  type: number,
  body: Buffer,
  offset: number,
): { readonly result: Result; readonly end: number } {
  switch (type) {
    case opcodes.create: {
      const { path } = createResponse.decode(body, offset)
      return { result: { kind: 'create', path }, end: createResponse.endOf(body, offset) }
    }
    case opcodes.setData: {
      const stat = decodeStat(setDataResponse.decode(body, offset).stat)
      return { result: { kind: 'set', stat }, end: setDataResponse.endOf(body, offset) }
    }
    case opcodes.delete:
      return { result: { kind: 'delete' }, end: offset }
    case opcodes.check:
      return { result: { kind: 'check' }, end: offset }
    case opcodes.error: {
      const { err } = errorResponse.decode(body, offset)
      return { result: { kind: 'refused', code: err }, end: errorResponse.endOf(body, offset) }
    }
    default:
      throw new MalformedError(`a multi has a result of the unknown type ${type}`)
  }
}

// Changes before the refused one have the code 0 (rolled back), those after it -2 (not tried).
function throwFirstError(results: readonly Result[], changes: readonly ResolvedChange[]): void {
  const index = results.findIndex((result) => result.kind === 'refused' && result.code !== 0)
  const refused = results[index]
  if (refused?.kind !== 'refused') return
  throw new ReplyError(refused.code, { request: 'multi', path: changes[index]?.path, index })
}
