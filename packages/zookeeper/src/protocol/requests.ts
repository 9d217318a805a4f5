import { ZookeeperError } from '../errors.ts'
import type { Acl, Bytes, Children, Created, Node, Permission, Stat } from '../node.ts'
import { codec } from './jute.ts'
import type { dataRecords, ValuesOf } from './records.ts'

/** Something to be asked of a server. Paths are whole: with the chroot. */
export interface Request<T> {
  /** Its name in errors, such as `getData`. */
  readonly name: string
  readonly opcode: number
  /** The node that it is about, if it is about one. */
  readonly path: string | undefined
  /** The number that the protocol sets aside for requests of this kind. Without it, the connection counts. */
  readonly fixedXid?: number
  /** The body, without header. */
  encode(): Buffer
  /** The answer to a request that was done. Throws `MalformedError`, and `ReplyError` where the body says no. */
  decode(body: Buffer): T
}

/** The numbers that are set aside. Those of the connection's own count begin at 1. */
export const xids = { event: -1, ping: -2, auth: -4, setWatches: -8 } as const

/** The body of a request or an answer that has none. */
function emptyBody(): Buffer {
  return Buffer.alloc(0)
}

/** Reads an answer that says nothing but yes. */
function ignoreBody(): void {}

/** What a request is, on the wire. */
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
  /** In the answer to a multi: this change was not made. */
  error: -1,
} as const

/** A node to be made. */
export interface NewNode {
  readonly path: string
  readonly data: Bytes
  readonly acl: readonly Acl[]
  readonly kind: 'persistent' | 'ephemeral' | 'container'
  readonly sequential: boolean
  /** Of a persistent node: how long it stays without a change and without children, in milliseconds. */
  readonly ttlMs: number | undefined
}

const createRequest = codec('CreateRequest')
const createTtlRequest = codec('CreateTTLRequest')
const create2Response = codec('Create2Response')

/** Makes a node. Throws `config-invalid` for a kind of node that no server has. */
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

/** The flags of a node that is persistent or ephemeral. */
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
    // Five bytes of the node's owner field hold it.
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

/** Refused with -101 when there is no such node; with `watch`, its making is then watched. */
export function exists(path: string, watch: boolean): Request<Stat> {
  return {
    name: 'exists',
    opcode: opcodes.exists,
    path,
    encode: () => existsRequest.encode({ path, watch }),
    decode: (body) => decodeStat(existsResponse.decode(body).stat),
  }
}

/** Refused with -101 when there is no such node; nothing is watched then. */
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

/** Refused with -101 when there is no such node; nothing is watched then. */
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

/** The ACL of a node, with its stat: `aversion` is what {@link setAcl} compares. */
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

/** Answered when the server has caught up with the leader. The path says nothing to it. */
export function sync(path: string): Request<void> {
  return {
    name: 'sync',
    opcode: opcodes.sync,
    path,
    encode: () => syncRequest.encode({ path }),
    decode: ignoreBody,
  }
}

/** What stands for any version on the wire. Version 0 is a version. */
export const anyVersion = -1

const setDataRequest = codec('SetDataRequest')
const setDataResponse = codec('SetDataResponse')
const deleteRequest = codec('DeleteRequest')
const setAclRequest = codec('SetACLRequest')
const setAclResponse = codec('SetACLResponse')

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
  /** The latest transaction that we have seen: what happened after it is told at once. */
  readonly relativeZxid: bigint
  /** Of nodes whose data was read. */
  readonly data: readonly string[]
  /** Of nodes that were not there. */
  readonly exists: readonly string[]
  readonly children: readonly string[]
  /** Those of `addWatch`; servers have them from 3.6 on. */
  readonly persistent: readonly string[]
  readonly recursive: readonly string[]
}

const setWatchesRequest = codec('SetWatches')
const setWatches2Request = codec('SetWatches2')
const addWatchRequest = codec('AddWatchRequest')
const removeWatchesRequest = codec('RemoveWatchesRequest')

/** Sets watches; without persistent ones, in the form that servers before 3.6 know as well. */
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

/** Adds a watch that stays when it has told something. Refused with -6 by servers before 3.6. */
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

/** Takes watches away. Refused with -121 when there are none. */
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

/** Asks for a sign of life, and is one. */
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

/** Gives the session a name. It does not count as a sign of life: the server does not touch the session for it. */
export function auth(scheme: string, value: Buffer): Request<void> {
  return {
    name: 'auth',
    opcode: opcodes.auth,
    path: undefined,
    fixedXid: xids.auth,
    encode: () => authPacket.encode({ type: 0, scheme, auth: value }),
    decode: ignoreBody,
  }
}

/** Ends the session: its ephemeral nodes go before the answer comes. */
export function closeSession(): Request<void> {
  return {
    name: 'closeSession',
    opcode: opcodes.closeSession,
    path: undefined,
    encode: emptyBody,
    decode: ignoreBody,
  }
}

/** A name that a session gives, such as `digest` and `user:password`. */
export interface AuthInfo {
  readonly scheme: string
  readonly value: Buffer
}

type WireAcl = ValuesOf<typeof dataRecords.ACL>

const bits: Readonly<Record<Permission, number>> = { read: 1, write: 2, create: 4, delete: 8, admin: 16 }

/** An ACL as it is sent. */
export function encodeAcl(acl: readonly Acl[]): readonly WireAcl[] {
  return acl.map(({ permissions, scheme, id }) => ({
    perms: permissions.reduce((perms, permission) => perms | bits[permission], 0),
    id: { scheme, id },
  }))
}

/** An ACL as it was received. Permissions that nobody knows are left out. */
function decodeAcl(wire: readonly WireAcl[]): readonly Acl[] {
  return wire.map(({ perms, id }) => ({ permissions: permissionsIn(perms), scheme: id.scheme, id: id.id }))
}

function permissionsIn(perms: number): readonly Permission[] {
  const all = Object.keys(bits) as readonly Permission[]
  return all.filter((permission) => (perms & bits[permission]) !== 0)
}

/** What a server says of a node, in our words. */
export function decodeStat({ ctime, mtime, ...same }: ValuesOf<typeof dataRecords.Stat>): Stat {
  return { ...same, ctimeMs: Number(ctime), mtimeMs: Number(mtime) }
}

/** Bytes as they are sent; a text as UTF-8. Shares the memory of what it is given. */
export function toBuffer(bytes: Bytes): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes)
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
