import { channelException } from './exceptions.ts'

/** Somebody who may log in. */
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

/** What somebody wants to do with a thing. */
export type Permission = keyof FakePermissions

/** The user who logs in with these words, or undefined. */
export function authenticate(users: Users, name: string, password: string): string | undefined {
  return users.get(name)?.password === password ? name : undefined
}

/** All users by name. */
export type Users = ReadonlyMap<string, FakeUser>

/** Whether a user may enter a vhost. */
export function mayAccessVhost(users: Users, name: string, vhost: string): boolean {
  const permissions = users.get(name)?.permissions
  return permissions === undefined || Object.hasOwn(permissions, vhost)
}

/** Something with a name that permissions are about. */
export interface Resource {
  readonly kind: 'queue' | 'exchange'
  readonly name: string
  readonly vhost: string
}

/** Refuses a deed that the user's permissions do not cover. */
export function checkPermission(
  users: Users,
  user: string,
  deed: Permission,
  { kind, name, vhost }: Resource,
): void {
  const permissions = users.get(user)?.permissions?.[vhost]
  // The exchange without a name goes by this one where permissions are concerned.
  const shown = kind === 'exchange' && name === '' ? 'amq.default' : name
  if (permissions === undefined || new RegExp(permissions[deed], 'u').test(shown)) return
  throw channelException(
    'ACCESS_REFUSED',
    `access to ${kind} '${shown}' in vhost '${vhost}' refused for user '${user}'`,
  )
}
