import type { Declaration } from '@ha/core'
import type { ZookeeperConnection } from './connection/connection.ts'
import { ZookeeperError } from './errors.ts'
import { type AclOf, aclFor } from './operations/acl.ts'
import { parentOf } from './operations/paths.ts'
import { ReplyError } from './protocol/error-codes.ts'
import { create, exists } from './protocol/requests.ts'

/** Translates between the paths of the caller and those of the servers, which begin with the chroot. */
export class Chroot {
  /** Empty, or such as `/app`. */
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  /** The path on the servers. */
  toServer(path: string): string {
    if (this.root === '') return path
    return path === '/' ? this.root : this.root + path
  }

  /** The path of the caller. */
  toClient(path: string): string {
    if (this.root === '') return path
    return path === this.root ? '/' : path.slice(this.root.length)
  }
}

/**
 * Replaces the error of a create directly below the chroot that found no parent: the chroot itself is missing, and
 * `parents: true` does not create it.
 */
export function explainMissingChroot(error: unknown, { root }: Chroot): unknown {
  const isOrphan = error instanceof ZookeeperError && error.code === 'no-node'
  if (!isOrphan || root === '' || error.path === undefined || parentOf(error.path) !== '/') return error
  const { path, endpoint, serverCode } = error
  const message = `create ${path}: the chroot ${root} does not exist: create it, or pass ensureChroot: true`
  return new ZookeeperError('config-invalid', message, { path, endpoint, serverCode, cause: error })
}

const noNode = -101

// Another client created the node first, or this ancestor of the chroot existed already.
const nodeExists = -110

const timeoutMs = 10_000

/**
 * Creates the chroot, node by node from the top, before any other request. It is looked up first: where the ACL of the
 * root forbids a create, the create of an existing node is refused as well.
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
