import type { Acl, Bytes, Stat } from '../node.ts'
import { wireAcl } from './acl.ts'
import { bytesOf } from './bytes.ts'
import { codec } from './codec.ts'
import { opcodes } from './opcodes.ts'
import { ignored, type Request } from './request.ts'
import { statOf } from './stat.ts'

/** What stands for any version on the wire. Version 0 is a version. */
export const anyVersion = -1

const setDataRequest = codec('SetDataRequest')
const setDataResponse = codec('SetDataResponse')
const deleteRequest = codec('DeleteRequest')
const setAclRequest = codec('SetACLRequest')
const setAclResponse = codec('SetACLResponse')

export function setData(path: string, data: Bytes, version: number = anyVersion): Request<Stat> {
  const bytes = bytesOf(data)
  return {
    name: 'setData',
    opcode: opcodes.setData,
    path,
    encode: () => setDataRequest.encode({ path, data: bytes, version }),
    decode: (body) => statOf(setDataResponse.decode(body).stat),
  }
}

/** Deletes a node, which must have no children. */
export function remove(path: string, version: number = anyVersion): Request<void> {
  return {
    name: 'delete',
    opcode: opcodes.delete,
    path,
    encode: () => deleteRequest.encode({ path, version }),
    decode: ignored,
  }
}

/** The version is that of the ACL: `aversion`. */
export function setAcl(path: string, acl: readonly Acl[], version: number = anyVersion): Request<Stat> {
  const wire = wireAcl(acl)
  return {
    name: 'setAcl',
    opcode: opcodes.setAcl,
    path,
    encode: () => setAclRequest.encode({ path, acl: wire, version }),
    decode: (body) => statOf(setAclResponse.decode(body).stat),
  }
}
