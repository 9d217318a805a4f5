import type { Acl, Bytes, Created } from '../node.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { wireAcl } from './acl.ts'
import { bytesOf } from './bytes.ts'
import { codec } from './codec.ts'
import { opcodes } from './opcodes.ts'
import type { Request } from './request.ts'
import { statOf } from './stat.ts'

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
  const wire = { path, data: bytesOf(node.data), acl: wireAcl(node.acl), flags }
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
      return { path: created.path, stat: statOf(created.stat) }
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
