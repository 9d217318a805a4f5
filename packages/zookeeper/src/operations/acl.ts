import { quoted } from '@ha/core/driver'
import { ZookeeperError } from '../errors.ts'
import type { Acl, Permission } from '../node.ts'
import { callUserFunction } from './call-options.ts'

/** The ACL of a new node, by its path. */
export type AclOf = (path: string) => readonly Acl[]

const everything: readonly Permission[] = ['read', 'write', 'create', 'delete', 'admin']

/** Every client may do everything: the servers' own default. */
export const openToAll: readonly Acl[] = [{ permissions: everything, scheme: 'world', id: 'anyone' }]

/** Only clients with the credentials of this one may do anything. */
export const creatorOnly: readonly Acl[] = [{ permissions: everything, scheme: 'auth', id: '' }]

/**
 * For parents that a client with credentials creates on the way to its own node: other clients may have nodes of their own
 * in there. `delete` of a parent is what allows its children to be deleted by those who made them.
 */
export const sharedParent: readonly Acl[] = [
  { permissions: ['read', 'create', 'delete'], scheme: 'world', id: 'anyone' },
  ...creatorOnly,
]

/** Whether an ACL that is meant for a node also fits its parents: it allows creating below them. */
export function allowsCreate(acl: readonly Acl[]): boolean {
  return acl.some(({ permissions }) => permissions.includes('create'))
}

/** The ACL of a new node: the given one, or the result of `aclOf`. */
export function aclFor(path: string, given: readonly Acl[] | undefined, aclOf: AclOf): readonly Acl[] {
  return checkAcl(given ?? callUserFunction('acl', path, () => aclOf(path)), path)
}

/** Checks the ACL of a caller. Throws `invalid-acl`, which names the problem. */
export function checkAcl(acl: readonly Acl[], path: string): readonly Acl[] {
  const problem = aclProblem(acl)
  if (problem !== undefined)
    throw new ZookeeperError('invalid-acl', `the ACL of ${path}: ${problem}`, { path })
  return acl
}

function aclProblem(acl: unknown): string | undefined {
  if (!Array.isArray(acl) || acl.length === 0) return 'expected a list with at least one entry'
  for (const [index, entry] of acl.entries()) {
    const problem = entryProblem((entry ?? {}) as Partial<Acl>)
    if (problem !== undefined) return `[${index}].${problem}`
  }
  return undefined
}

function entryProblem({ permissions, scheme, id }: Partial<Acl>): string | undefined {
  const words = everything.join(', ')
  if (!Array.isArray(permissions) || permissions.length === 0)
    return `permissions: expected at least one of ${words}`
  const unknown = permissions.find((permission) => !everything.includes(permission))
  if (unknown !== undefined) return `permissions: expected ${words}, got ${quoted(unknown)}`
  if (typeof scheme !== 'string' || scheme === '')
    return 'scheme: expected a text such as world, auth, digest or ip'
  return typeof id === 'string' ? undefined : 'id: expected a text'
}
