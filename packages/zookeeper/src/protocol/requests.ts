import { ZookeeperError } from '../errors.ts'
import type { Acl, Bytes, Children, Created, Node, Permission, Stat } from '../node.ts'
import { codec } from './jute.ts'
import type { dataRecords, ValuesOf } from './records.ts'

/** A request to a server. Paths include the chroot. */
export interface Request<T> {
  /** The name in errors, such as `getData`. */
  readonly name: string
  readonly opcode: number
  /** The node that it concerns, if any. */
  readonly path: string | undefined
  /** The reserved xid of requests of this kind. Without it, the connection assigns the next number. */
  readonly fixedXid?: number
  /** Encodes the body, without the header. */
  encode(): Buffer
  /**
   * Decodes the body of a successful reply. Throws `MalformedError`, and `ReplyError` for a multi with a refused
   * change.
   */
  decode(body: Buffer): T
  /** Decodes the beginning of a reply that exceeds the limit. Without it, such a reply is an error. */
  readonly decodeCut?: (body: Buffer) => T
}

/** The reserved xids. Those that a connection assigns begin at 1. */
export const xids = { event: -1, ping: -2, auth: -4, setWatches: -8 } as const

/** The body of a request without fields. */
function emptyBody(): Buffer {
  return Buffer.alloc(0)
}

/** Decodes a reply without fields. */
function ignoreBody(): void {}

/** The operation codes of the protocol (`ZooDefs.OpCode`). */
export const opcodes = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getAcl: 6,
  setAcl: 7,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  removeWatches: 18,
  createContainer: 19,
  createTtl: 21,
  auth: 100,
  setWatches: 101,
  setWatches2: 105,
  addWatch: 106,
  closeSession: -11,
  /** In the reply to a multi: the change was not made. */
  error: -1,
} as const

/** A node to be created. */
export interface NewNode {
  readonly path: string
  readonly data: Bytes
  readonly acl: readonly Acl[]
  readonly kind: 'persistent' | 'ephemeral' | 'container'
  readonly sequential: boolean
  /** For a persistent node: how long it stays without changes and children, in milliseconds. */
  readonly ttlMs: number | undefined
}

const createRequest = codec('CreateRequest')
const createTtlRequest = codec('CreateTTLRequest')
const create2Response = codec('Create2Response')

/** Creates a node. Throws `config-invalid` for a combination that no server supports. */
export function create(node: NewNode): Request<Created> {
  const { path } = node
  const { opcode, flags } = modeOf(node)
  const wire = { path, data: toBuffer(node.data), acl: encodeAcl(node.acl), flags }
  return {
    name: 'create',
    opcode,
    path,
    encode: () =>
      node.ttlMs === undefined
        ? createRequest.encode(wire)
        : createTtlRequest.encode({ ...wire, ttl: BigInt(node.ttlMs) }),
    decode: (body) => {
      const created = create2Response.decode(body)
      return { path: created.path, stat: decodeStat(created.stat) }
    },
  }
}

/** The flags of a persistent or ephemeral node. */
export function createFlags({ ephemeral, sequential }: { ephemeral: boolean; sequential: boolean }): number {
  return (ephemeral ? 1 : 0) | (sequential ? 2 : 0)
}

interface Mode {
  readonly opcode: number
  readonly flags: number
}

function modeOf({ path, kind, sequential, ttlMs }: NewNode): Mode {
  const fail = (problem: string): never => {
    throw new ZookeeperError('config-invalid', `create ${path}: ${problem}`, { path })
  }
  if (ttlMs !== undefined) {
    if (kind !== 'persistent') return fail(`only a persistent node has a 'ttlMs', this one is ${kind}`)
    // The servers store it in five bytes of the owner field.
    if (!Number.isInteger(ttlMs) || ttlMs < 1 || ttlMs >= 2 ** 40)
      return fail("expected whole milliseconds from 1 to 2^40 - 1 as 'ttlMs'")
    return { opcode: opcodes.createTtl, flags: sequential ? 6 : 5 }
  }
  if (kind !== 'container') {
    const flags = createFlags({ ephemeral: kind === 'ephemeral', sequential })
    return { opcode: opcodes.create2, flags }
  }
  return sequential ? fail('a container cannot be sequential') : { opcode: opcodes.createContainer, flags: 4 }
}

const existsRequest = codec('ExistsRequest')
const existsResponse = codec('ExistsResponse')
const getDataRequest = codec('GetDataRequest')
const getDataResponse = codec('GetDataResponse')
const getChildrenRequest = codec('GetChildren2Request')
const getChildrenResponse = codec('GetChildren2Response')
const getAclRequest = codec('GetACLRequest')
const getAclResponse = codec('GetACLResponse')
const syncRequest = codec('SyncRequest')

/** Refused with -101 when the node does not exist; with `watch`, its creation is watched then. */
export function exists(path: string, watch: boolean): Request<Stat> {
  return {
    name: 'exists',
    opcode: opcodes.exists,
    path,
    encode: () => existsRequest.encode({ path, watch }),
    decode: (body) => decodeStat(existsResponse.decode(body).stat),
  }
}

/** Refused with -101 when the node does not exist; nothing is watched then. */
export function getData(path: string, watch: boolean): Request<Node> {
  return {
    name: 'getData',
    opcode: opcodes.getData,
    path,
    encode: () => getDataRequest.encode({ path, watch }),
    decode: (body) => {
      const { data, stat } = getDataResponse.decode(body)
      return { data, stat: decodeStat(stat) }
    },
  }
}

/** Refused with -101 when the node does not exist; nothing is watched then. */
export function getChildren(path: string, watch: boolean): Request<Children> {
  return {
    name: 'getChildren',
    opcode: opcodes.getChildren2,
    path,
    encode: () => getChildrenRequest.encode({ path, watch }),
    decode: (body) => {
      const { children, stat } = getChildrenResponse.decode(body)
      return { names: children, stat: decodeStat(stat) }
    },
  }
}

/** The children of a node, or the first of them when the list exceeds the limit of a reply. */
export function getSomeChildren(path: string): Request<readonly string[]> {
  const request = getChildren(path, false)
  return { ...request, decode: (body) => request.decode(body).names, decodeCut: decodeFirstNames }
}

// A vector: the number of names, and each name behind its length.
function decodeFirstNames(body: Buffer): readonly string[] {
  const names: string[] = []
  for (let offset = 4; offset + 4 <= body.length; ) {
    const end = offset + 4 + Math.max(0, body.readInt32BE(offset))
    if (end > body.length) break
    names.push(body.toString('utf8', offset + 4, end))
    offset = end
  }
  return names
}

/** The ACL of a node, with its stat: {@link setAcl} compares the `aversion`. */
export function getAcl(path: string): Request<{ readonly acl: readonly Acl[]; readonly stat: Stat }> {
  return {
    name: 'getAcl',
    opcode: opcodes.getAcl,
    path,
    encode: () => getAclRequest.encode({ path }),
    decode: (body) => {
      const { acl, stat } = getAclResponse.decode(body)
      return { acl: decodeAcl(acl), stat: decodeStat(stat) }
    },
  }
}

/** Answered when the server has caught up with the leader. The path has no effect. */
export function sync(path: string): Request<void> {
  return {
    name: 'sync',
    opcode: opcodes.sync,
    path,
    encode: () => syncRequest.encode({ path }),
    decode: ignoreBody,
  }
}

/** Stands for any version in a request. Version 0 is a version. */
export const anyVersion = -1

const setDataRequest = codec('SetDataRequest')
const setDataResponse = codec('SetDataResponse')
const deleteRequest = codec('DeleteRequest')
const setAclRequest = codec('SetACLRequest')
const setAclResponse = codec('SetACLResponse')

/** Sets the data of a node. */
export function setData(path: string, data: Bytes, version: number = anyVersion): Request<Stat> {
  const bytes = toBuffer(data)
  return {
    name: 'setData',
    opcode: opcodes.setData,
    path,
    encode: () => setDataRequest.encode({ path, data: bytes, version }),
    decode: (body) => decodeStat(setDataResponse.decode(body).stat),
  }
}

/** Deletes a node, which must have no children. */
export function remove(path: string, version: number = anyVersion): Request<void> {
  return {
    name: 'delete',
    opcode: opcodes.delete,
    path,
    encode: () => deleteRequest.encode({ path, version }),
    decode: ignoreBody,
  }
}

/** The version is that of the ACL: `aversion`. */
export function setAcl(path: string, acl: readonly Acl[], version: number = anyVersion): Request<Stat> {
  const wire = encodeAcl(acl)
  return {
    name: 'setAcl',
    opcode: opcodes.setAcl,
    path,
    encode: () => setAclRequest.encode({ path, acl: wire, version }),
    decode: (body) => decodeStat(setAclResponse.decode(body).stat),
  }
}

/** The watches that a new connection begins with. */
interface WatchSet {
  /** The highest zxid that the client has seen: later changes are reported at once. */
  readonly relativeZxid: bigint
  /** Of nodes whose data was read. */
  readonly data: readonly string[]
  /** Of nodes that did not exist. */
  readonly exists: readonly string[]
  readonly children: readonly string[]
  /** The persistent watches of `addWatch`; from servers 3.6 on. */
  readonly persistent: readonly string[]
  readonly recursive: readonly string[]
}

const setWatchesRequest = codec('SetWatches')
const setWatches2Request = codec('SetWatches2')
const addWatchRequest = codec('AddWatchRequest')
const removeWatchesRequest = codec('RemoveWatchesRequest')

/** Sets watches. Without persistent ones, the request is the one that servers before 3.6 know as well. */
export function setWatches(set: WatchSet): Request<void> {
  const oneShot = {
    relativeZxid: set.relativeZxid,
    dataWatches: set.data,
    existWatches: set.exists,
    childWatches: set.children,
  }
  const lasting = { persistentWatches: set.persistent, persistentRecursiveWatches: set.recursive }
  const isOneShot = set.persistent.length === 0 && set.recursive.length === 0
  return {
    name: 'setWatches',
    opcode: isOneShot ? opcodes.setWatches : opcodes.setWatches2,
    path: undefined,
    fixedXid: xids.setWatches,
    encode: () =>
      isOneShot ? setWatchesRequest.encode(oneShot) : setWatches2Request.encode({ ...oneShot, ...lasting }),
    decode: ignoreBody,
  }
}

/** Adds a persistent watch. Refused with -6 by servers before 3.6. */
export function addWatch(path: string, mode: 'persistent' | 'recursive'): Request<void> {
  return {
    name: 'addWatch',
    opcode: opcodes.addWatch,
    path,
    encode: () => addWatchRequest.encode({ path, mode: mode === 'recursive' ? 1 : 0 }),
    decode: ignoreBody,
  }
}

const watcherTypes = { children: 1, data: 2, any: 3 } as const

/** Removes watches. Refused with -121 when there are none. */
export function removeWatches(path: string, type: keyof typeof watcherTypes): Request<void> {
  return {
    name: 'removeWatches',
    opcode: opcodes.removeWatches,
    path,
    encode: () => removeWatchesRequest.encode({ path, type: watcherTypes[type] }),
    decode: ignoreBody,
  }
}

const authPacket = codec('AuthPacket')

/** Keeps the session alive, and is answered. */
export function ping(): Request<void> {
  return {
    name: 'ping',
    opcode: opcodes.ping,
    path: undefined,
    fixedXid: xids.ping,
    encode: emptyBody,
    decode: ignoreBody,
  }
}

/** Adds credentials to the session. Does not keep the session alive: the server does not touch it. */
export function auth(scheme: string, value: Buffer): Request<void> {
  return {
    name: `auth ${scheme}`,
    opcode: opcodes.auth,
    path: undefined,
    fixedXid: xids.auth,
    encode: () => authPacket.encode({ type: 0, scheme, auth: value }),
    decode: ignoreBody,
  }
}

/** Closes the session: its ephemeral nodes are deleted before the reply comes. */
export function closeSession(): Request<void> {
  return {
    name: 'closeSession',
    opcode: opcodes.closeSession,
    path: undefined,
    encode: emptyBody,
    decode: ignoreBody,
  }
}

/** Credentials of a session, such as `digest` and `user:password`. */
export interface AuthInfo {
  readonly scheme: string
  readonly value: Buffer
}

type WireAcl = ValuesOf<typeof dataRecords.ACL>

const bits: Readonly<Record<Permission, number>> = { read: 1, write: 2, create: 4, delete: 8, admin: 16 }

/** Encodes an ACL. */
export function encodeAcl(acl: readonly Acl[]): readonly WireAcl[] {
  return acl.map(({ permissions, scheme, id }) => ({
    perms: permissions.reduce((perms, permission) => perms | bits[permission], 0),
    id: { scheme, id },
  }))
}

/** Decodes an ACL. Unknown permissions are left out. */
function decodeAcl(wire: readonly WireAcl[]): readonly Acl[] {
  return wire.map(({ perms, id }) => ({ permissions: permissionsIn(perms), scheme: id.scheme, id: id.id }))
}

function permissionsIn(perms: number): readonly Permission[] {
  const all = Object.keys(bits) as readonly Permission[]
  return all.filter((permission) => (perms & bits[permission]) !== 0)
}

/** Decodes the stat of a node. */
export function decodeStat({ ctime, mtime, ...same }: ValuesOf<typeof dataRecords.Stat>): Stat {
  return jsonSafe({ ...same, ctimeMs: Number(ctime), mtimeMs: Number(mtime) })
}

/** The bytes of a request; a text is encoded as UTF-8. Shares the memory of its argument. */
export function toBuffer(bytes: Bytes): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes)
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/**
 * Lets `JSON.stringify` write an object with large integers, which JSON does not have: as decimal texts. Errors keep their
 * name and message. The method is not enumerable, so that the object prints, compares and copies as before.
 */
export function jsonSafe<T extends object>(value: T): T {
  return Object.defineProperty(value, 'toJSON', { value: toJson, enumerable: false })
}

function toJson(this: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(this).map(([name, value]) => [name, jsonValue(value)]))
}

function jsonValue(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  return value instanceof Error && !('toJSON' in value) ? { name: value.name, message: value.message } : value
}
