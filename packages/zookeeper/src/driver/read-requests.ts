import type { Acl, Children, Node, Stat } from '../node.ts'
import { aclOf } from './acl.ts'
import { codec } from './codec.ts'
import { opcodes } from './opcodes.ts'
import { ignored, type Request } from './request.ts'
import { statOf } from './stat.ts'

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
    decode: (body) => statOf(existsResponse.decode(body).stat),
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
      return { data, stat: statOf(stat) }
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
      return { names: children, stat: statOf(stat) }
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
      return { acl: aclOf(acl), stat: statOf(stat) }
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
    decode: ignored,
  }
}
