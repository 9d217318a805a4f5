import type { Declaration } from '@ha/core'
import type { ZookeeperConnection } from './connection/connection.ts'
import { create } from './driver/create-request.ts'
import { ReplyError } from './driver/reply-error.ts'
import type { AclOf } from './operations/acl.ts'

// -110: another client was faster, or it was there all along.
const nodeExists = -110

const timeoutMs = 10_000

/** Makes the chroot, each of its nodes from the top down, before anything else is asked. */
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
      for (const path of paths) await make(connection, path, aclOf)
    },
  }
}

async function make(connection: ZookeeperConnection, path: string, aclOf: AclOf): Promise<void> {
  try {
    const node = { path, data: '', kind: 'persistent', sequential: false, ttlMs: undefined } as const
    await connection.send(create({ ...node, acl: aclOf('/') }))
  } catch (error) {
    if (!(error instanceof ReplyError) || error.code !== nodeExists) throw error
  }
}
