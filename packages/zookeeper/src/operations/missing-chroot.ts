import { ZookeeperError } from '../zookeeper-error.ts'
import { type Chroot, parentOf } from './paths.ts'

/**
 * What a create failed with, in words that help: that there is no parent directly below the chroot means that the chroot
 * itself is missing, which no `parents: true` makes.
 */
export function unlessChrootMissing(error: unknown, { root }: Chroot): unknown {
  const isOrphan = error instanceof ZookeeperError && error.code === 'no-node'
  if (!isOrphan || root === '' || error.path === undefined || parentOf(error.path) !== '/') return error
  const { path, endpoint, serverCode } = error
  const message = `create ${path}: the chroot ${root} does not exist: make it, or pass ensureChroot: true`
  return new ZookeeperError('config-invalid', message, { path, endpoint, serverCode, cause: error })
}
