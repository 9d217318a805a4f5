import type { Declaration } from '@ha/core'
import type { ZookeeperConnection } from './connection/connection.ts'
import { create } from './driver/create-request.ts'
import { exists } from './driver/read-requests.ts'
import { ReplyError } from './driver/reply-error.ts'
import { type AclOf, aclFor } from './operations/acl.ts'

const noNode = -101

// Another client was faster, or this one of several was there all along.
const nodeExists = -110

const timeoutMs = 10_000

/**
 * Makes the chroot, each of its nodes from the top down, before anything else is asked. Whether it is there is looked at
 * first: where the root is locked, a create is refused although there is nothing to make.
 */
export function chrootDeclaration(chroot: string, aclOf: AclOf): Declaration<ZookeeperConnection> {
  const names = chroot.slice(1).split('/')
  const paths = names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`)
  return {
    key: `chroot ${chroot}`,
    needs: [],
    gates: true,
    survives: true,
    timeoutMs,
    apply: async (connection) => {
      if (await isThere(connection, chroot)) return
      for (const path of paths) await make(connection, path, aclOf)
    },
  }
}

async function isThere(connection: ZookeeperConnection, path: string): Promise<boolean> {
  try {
    await connection.send(exists(path, false))
    return true
  } catch (error) {
    if (!(error instanceof ReplyError) || error.code !== noNode) throw error
    return false
  }
}

async function make(connection: ZookeeperConnection, path: string, aclOf: AclOf): Promise<void> {
  try {
    const node = { path, data: '', kind: 'persistent', sequential: false, ttlMs: undefined } as const
    await connection.send(create({ ...node, acl: aclFor('/', undefined, aclOf) }))
  } catch (error) {
    if (!(error instanceof ReplyError) || error.code !== nodeExists) throw error
  }
}
