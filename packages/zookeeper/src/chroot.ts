import { withDetails, ZookeeperError } from './errors.ts'
import { parentOf } from './operations/paths.ts'

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

/** Whether a create found no parent, and that parent is the chroot itself, which `parents: true` does not create. */
export function isChrootMissing(error: unknown, { root }: Chroot): error is ZookeeperError {
  if (root === '' || !(error instanceof ZookeeperError) || error.code !== 'no-node') return false
  return error.path !== undefined && parentOf(error.path) === '/'
}

/** Replaces the error of a create whose chroot is missing; other errors are returned as they are. */
export function explainMissingChroot(error: unknown, chroot: Chroot): unknown {
  if (!isChrootMissing(error, chroot)) return error
  const { path, endpoint, serverCode } = error
  const message = `create ${path}: the chroot ${chroot.root} does not exist: create it, or pass ensureChroot: true`
  return new ZookeeperError('config-invalid', message, { path, endpoint, serverCode, cause: error })
}

/** The error of a create of `path` whose chroot is missing and could not be created; other errors are returned as they are. */
export function explainRefusedChroot(error: unknown, path: string | undefined, { root }: Chroot): unknown {
  if (!(error instanceof ZookeeperError)) return error
  const message = `create ${path}: the chroot ${root} is missing and could not be created: ${error.message}`
  return withDetails(error, { message, path, cause: error })
}
