import type { Declaration } from '@ha/core'
import type { ZookeeperConnection } from './connection/connection.ts'
import { ZookeeperError } from './errors.ts'
import { type AclOf, aclFor } from './operations/acl.ts'
import { parentOf } from './operations/paths.ts'
import { ReplyError } from './protocol/error-codes.ts'
import { create, exists } from './protocol/requests.ts'

/** Translates between the paths of users and those of the servers, which begin with the chroot. */
export class Chroot {
  /** Empty, or such as `/app`. */
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  /** The servers' path. */
  toServer(path: string): string {
    if (this.root === '') return path
    return path === '/' ? this.root : this.root + path
  }

  /** The users' path. */
  toClient(path: string): string {
    if (this.root === '') return path
    return path === this.root ? '/' : path.slice(this.root.length)
  }
}

/**
 * What a create failed with, in words that help: that there is no parent directly below the chroot means that the chroot
 * itself is missing, which no `parents: true` makes.
 */
export function explainMissingChroot(error: unknown, { root }: Chroot): unknown {
  const isOrphan = error instanceof ZookeeperError && error.code === 'no-node'
  if (!isOrphan || root === '' || error.path === undefined || parentOf(error.path) !== '/') return error
  const { path, endpoint, serverCode } = error
  const message = `create ${path}: the chroot ${root} does not exist: make it, or pass ensureChroot: true`
  return new ZookeeperError('config-invalid', message, { path, endpoint, serverCode, cause: error })
}

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
