import type { CompleteChange } from '../driver/multi-request.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { type AclOf, checkAcl } from './acl.ts'
import { bytesOf } from './bytes.ts'
import { checkVersion } from './call-options.ts'
import type { Change } from './operations.ts'
import { type Chroot, checkPath } from './paths.ts'

/** Checks the changes of a multi, and completes them: the servers' paths, bytes, and an ACL for each new node. */
export function checkChanges(
  changes: readonly Change[],
  chroot: Chroot,
  aclOf: AclOf,
): readonly CompleteChange[] {
  if (!Array.isArray(changes) || changes.length === 0)
    throw new ZookeeperError('config-invalid', 'multi: expected a list of at least one change')
  return changes.map((change, index) => {
    checkPath(change.path, `multi[${index}].path`)
    return completed(change, chroot.above(change.path), aclOf)
  })
}

function completed(change: Change, path: string, aclOf: AclOf): CompleteChange {
  switch (change.kind) {
    case 'create': {
      const acl = checkAcl(change.acl ?? aclOf(change.path), change.path)
      return { ...change, path, data: bytesOf(change.data, 'multi', change.path), acl }
    }
    case 'set':
      checkVersion('multi', change.path, change.version)
      return { ...change, path, data: bytesOf(change.data, 'multi', change.path) }
    case 'delete':
    case 'check':
      checkVersion('multi', change.path, change.version)
      return { ...change, path }
    default:
      throw new ZookeeperError(
        'config-invalid',
        `multi: expected create, set, delete or check, got ${JSON.stringify((change as Change).kind)}`,
      )
  }
}
