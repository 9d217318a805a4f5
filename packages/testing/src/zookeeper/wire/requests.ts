import { MalformedMessage } from '../../server/byte-cursor.ts'
import { type AclEntry, JuteReader, readAcl } from './records.ts'

/** Creates a node. `flags`: 1 ephemeral, 2 sequential, 3 both, 4 container, 5 with a TTL, 6 sequential with a TTL. */
export interface CreateRequest {
  readonly op: 'create' | 'create2' | 'create-container' | 'create-ttl'
  readonly path: string
  readonly data: Buffer | null
  readonly acl: readonly AclEntry[]
  readonly flags: number
  readonly ttlMs: bigint
}

/** The parts of a multi. */
export type PartRequest =
  | CreateRequest
  | { readonly op: 'delete' | 'check'; readonly path: string; readonly version: number }
  | { readonly op: 'set-data'; readonly path: string; readonly data: Buffer | null; readonly version: number }

/** The requests that are committed by the quorum. */
export type WriteRequest =
  | PartRequest
  | {
      readonly op: 'set-acl'
      readonly path: string
      readonly acl: readonly AclEntry[]
      readonly version: number
    }
  | { readonly op: 'multi'; readonly parts: readonly PartRequest[] }
  | { readonly op: 'close-session' }

/** The watches of an earlier connection, and the last transaction that its client has seen. */
export interface SetWatchesRequest {
  readonly op: 'set-watches' | 'set-watches2'
  readonly relativeZxid: bigint
  readonly data: readonly string[]
  readonly exists: readonly string[]
  readonly children: readonly string[]
  readonly persistent: readonly string[]
  readonly recursive: readonly string[]
}

/** The requests that each node answers by itself. */
export type ReadRequest =
  | {
      readonly op: 'exists' | 'get-data' | 'get-children' | 'get-children2'
      readonly path: string
      readonly watch: boolean
    }
  | { readonly op: 'get-acl'; readonly path: string }
  | { readonly op: 'sync'; readonly path: string }
  | { readonly op: 'add-watch'; readonly path: string; readonly mode: number }
  /** `type`: 1 children, 2 data, 3 any. */
  | { readonly op: 'remove-watches' | 'check-watches'; readonly path: string; readonly type: number }
  | { readonly op: 'auth'; readonly scheme: string; readonly auth: Buffer }
  | { readonly op: 'ping' }
  | SetWatchesRequest

/** Every request after the handshake. */
export type Request = ReadRequest | WriteRequest | { readonly op: 'unknown'; readonly type: number }

/** A request and its number. */
export interface NumberedRequest {
  readonly xid: number
  readonly request: Request
}

/** Reads a request; throws {@link MalformedMessage} when it is truncated. */
export function decodeRequest(body: Buffer): NumberedRequest {
  const reader = new JuteReader(body)
  const xid = reader.int()
  const type = reader.int()
  const op = operationOfCode(type)
  return { xid, request: op === undefined ? { op: 'unknown', type } : readRequest(op, reader) }
}

/** The xid of a request that cannot be decoded further. */
export function xidOf(body: Buffer): number {
  return new JuteReader(body).int()
}

function readRequest(op: OpName, reader: JuteReader): Request {
  switch (op) {
    case 'exists':
    case 'get-data':
    case 'get-children':
    case 'get-children2':
      return { op, path: reader.text(), watch: reader.flag() }
    case 'get-acl':
      return { op, path: reader.text() }
    case 'sync':
      return { op, path: reader.text() }
    case 'set-acl':
      return { op, path: reader.text(), acl: readAcl(reader), version: reader.int() }
    case 'add-watch':
      return { op, path: reader.text(), mode: reader.int() }
    case 'remove-watches':
    case 'check-watches':
      return { op, path: reader.text(), type: reader.int() }
    case 'auth':
      return readAuth(reader)
    case 'set-watches':
    case 'set-watches2':
      return readSetWatches(op, reader)
    case 'multi':
      return { op, parts: readParts(reader) }
    case 'ping':
    case 'close-session':
      return { op }
    default:
      return readPart(op, reader)
  }
}

function readPart(op: PartRequest['op'], reader: JuteReader): PartRequest {
  switch (op) {
    case 'delete':
    case 'check':
      return { op, path: reader.text(), version: reader.int() }
    case 'set-data':
      return { op, path: reader.text(), data: reader.buffer(), version: reader.int() }
    default:
      return {
        op,
        path: reader.text(),
        data: reader.buffer(),
        acl: readAcl(reader),
        flags: reader.int(),
        ttlMs: op === 'create-ttl' ? reader.long() : 0n,
      }
  }
}

function readAuth(reader: JuteReader): Request {
  // The type of the log-in, which is unused.
  reader.int()
  return { op: 'auth', scheme: reader.text(), auth: reader.buffer() ?? Buffer.alloc(0) }
}

function readSetWatches(op: SetWatchesRequest['op'], reader: JuteReader): SetWatchesRequest {
  const paths = (): readonly string[] => reader.list(() => reader.text())
  return {
    op,
    relativeZxid: reader.long(),
    data: paths(),
    exists: paths(),
    children: paths(),
    persistent: op === 'set-watches2' ? paths() : [],
    recursive: op === 'set-watches2' ? paths() : [],
  }
}

// Each part follows a header; a header that is marked as done ends the list.
function readParts(reader: JuteReader): readonly PartRequest[] {
  const parts: PartRequest[] = []
  for (;;) {
    const type = reader.int()
    const isDone = reader.flag()
    reader.int()
    if (isDone) return parts
    const op = operationOfCode(type)
    if (op === undefined || !isPart(op)) throw new MalformedMessage(`a multi cannot hold ${type}`)
    parts.push(readPart(op, reader))
  }
}

const partOps: ReadonlySet<OpName> = new Set<PartRequest['op']>([
  'create',
  'create2',
  'create-container',
  'create-ttl',
  'delete',
  'check',
  'set-data',
])

function isPart(op: OpName): op is PartRequest['op'] {
  return partOps.has(op)
}

/** The type of a part, as in the header of its result. */
export function typeOf(part: PartRequest): number {
  return opCodes[part.op]
}

/** The types of requests by name. */
export const opCodes = {
  create: 1,
  delete: 2,
  exists: 3,
  'get-data': 4,
  'set-data': 5,
  'get-acl': 6,
  'set-acl': 7,
  'get-children': 8,
  sync: 9,
  ping: 11,
  'get-children2': 12,
  check: 13,
  multi: 14,
  create2: 15,
  'check-watches': 17,
  'remove-watches': 18,
  'create-container': 19,
  'create-ttl': 21,
  auth: 100,
  'set-watches': 101,
  'set-watches2': 105,
  'add-watch': 106,
  'close-session': -11,
} as const

/** The name of a request. */
export type OpName = keyof typeof opCodes

const names = new Map<number, OpName>(
  Object.entries(opCodes).map(([name, number]) => [number, name as OpName]),
)

/** The name of the request of this number; undefined when the servers know none. */
function operationOfCode(number: number): OpName | undefined {
  return names.get(number)
}
