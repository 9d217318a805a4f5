import type { Acl, Permission } from '../node.ts'
import type { data, ValuesOf } from './records.ts'

type WireAcl = ValuesOf<typeof data.ACL>

const bits: Readonly<Record<Permission, number>> = { read: 1, write: 2, create: 4, delete: 8, admin: 16 }

/** An ACL as it is sent. */
export function wireAcl(acl: readonly Acl[]): readonly WireAcl[] {
  return acl.map(({ permissions, scheme, id }) => ({
    perms: permissions.reduce((perms, permission) => perms | bits[permission], 0),
    id: { scheme, id },
  }))
}

/** An ACL as it was received. Permissions that nobody knows are left out. */
export function aclOf(wire: readonly WireAcl[]): readonly Acl[] {
  return wire.map(({ perms, id }) => ({ permissions: permissionsIn(perms), scheme: id.scheme, id: id.id }))
}

function permissionsIn(perms: number): readonly Permission[] {
  const all = Object.keys(bits) as readonly Permission[]
  return all.filter((permission) => (perms & bits[permission]) !== 0)
}
