import type { CompleteChange } from '../driver/multi-request.ts'
import { ZookeeperError } from '../zookeeper-error.ts'
import { type AclOf, aclFor } from './acl.ts'
import { bytesOf } from './bytes.ts'
import { checkVersion } from './call-options.ts'
import type { Change } from './operations.ts'
import { type Chroot, checkPath } from './paths.ts'
import { checkWord } from './words.ts'

/** Checks the changes of a multi, and completes them: the servers' paths, bytes, and an ACL for each new node. */
export function checkChanges(
  changes: readonly Change[],
  chroot: Chroot,
  aclOf: AclOf,
): readonly CompleteChange[] {
  if (!Array.isArray(changes) || changes.length === 0)
    throw new ZookeeperError('config-invalid', 'multi: expected a list of at least one change')
  return changes.map((change, index) => {
    const what = `multi[${index}]`
    checkPath(change.path, `${what}.path`)
    checkWord(`${what}.kind`, change.path, change.kind, kinds)
    return completed(what, change, chroot.above(change.path), aclOf)
  })
}

const kinds: readonly Change['kind'][] = ['create', 'set', 'delete', 'check']

function completed(what: string, change: Change, path: string, aclOf: AclOf): CompleteChange {
  switch (change.kind) {
    case 'create': {
      const acl = aclFor(change.path, change.acl, aclOf)
      return { ...change, path, data: bytesOf(change.data, what, change.path), acl }
    }
    case 'set':
      checkVersion(what, change.path, change.version)
      return { ...change, path, data: bytesOf(change.data, what, change.path) }
    case 'delete':
      checkVersion(what, change.path, change.version)
      return { ...change, path }
    case 'check':
      // Without a version it would check nothing.
      checkVersion(what, change.path, change.version ?? null)
      return { ...change, path }
  }
}
