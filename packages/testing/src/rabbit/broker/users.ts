import { channelException } from './exceptions.ts'

/** A user who may log in. */
export interface FakeUser {
  readonly password: string
  /** By vhost, which names the user may touch, as regular expressions. Default: all names in all vhosts. */
  readonly permissions?: Readonly<Record<string, FakePermissions>>
}

/** Which names a user may configure, write to and read from, as regular expressions. */
export interface FakePermissions {
  readonly configure: string
  readonly write: string
  readonly read: string
}

/** The permission that an operation on a resource needs. */
export type Permission = keyof FakePermissions

/** The user of that name if the password is right; otherwise undefined. */
export function authenticate(users: UserTable, name: string, password: string): string | undefined {
  return users.get(name)?.password === password ? name : undefined
}

/** All users by name. */
export type UserTable = ReadonlyMap<string, FakeUser>

/** Whether a user may enter a vhost. */
export function mayAccessVhost(users: UserTable, name: string, vhost: string): boolean {
  const permissions = users.get(name)?.permissions
  return permissions === undefined || Object.hasOwn(permissions, vhost)
}

/** A queue or an exchange, as permissions name it. */
export interface Resource {
  readonly kind: 'queue' | 'exchange'
  readonly name: string
  readonly vhost: string
}

/** Throws ACCESS_REFUSED unless the user's permissions cover the operation. */
export function checkPermission(
  users: UserTable,
  user: string,
  permission: Permission,
  { kind, name, vhost }: Resource,
): void {
  const permissions = users.get(user)?.permissions?.[vhost]
  // Permissions name the default exchange, which has an empty name, like this.
  const shown = kind === 'exchange' && name === '' ? 'amq.default' : name
  if (permissions === undefined || new RegExp(permissions[permission], 'u').test(shown)) return
  throw channelException(
    'ACCESS_REFUSED',
    `access to ${kind} '${shown}' in vhost '${vhost}' refused for user '${user}'`,
  )
}
