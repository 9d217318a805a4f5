import { createHash } from 'node:crypto'
import { errorCode, KeeperException } from '../wire/errors.ts'
import { type AclEntry, type Identity, permission } from '../wire/records.ts'

/** Throws -102 unless one of these identities has the permission. A node without an ACL is open. */
export function checkAccess(acl: readonly AclEntry[], wanted: number, names: readonly Identity[]): void {
  if (acl.length > 0 && !acl.some((entry) => isAllowed(entry, wanted, names)))
    throw new KeeperException(errorCode.noAuth)
}

/** The ACL to store: `auth` stands for the identities of its author. Throws -114 at an invalid one. */
export function resolveAcl(acl: readonly AclEntry[], names: readonly Identity[]): readonly AclEntry[] {
  const resolved = acl.flatMap((entry) => (entry.scheme === 'auth' ? ownEntries(entry, names) : [entry]))
  if (resolved.length === 0 || !resolved.every(isValidEntry)) throw new KeeperException(errorCode.invalidAcl)
  return unique(resolved)
}

/** The ACL for a reader without the admin permission: the hashes of passwords are masked. */
export function maskedAcl(acl: readonly AclEntry[], names: readonly Identity[]): readonly AclEntry[] {
  if (acl.length === 0 || acl.some((entry) => isAllowed(entry, permission.admin, names))) return acl
  return acl.map((entry) =>
    entry.scheme === 'digest' ? { ...entry, id: entry.id.replace(/:.*$/, ':x') } : entry,
  )
}

/** The identity of a log-in; undefined for an unknown scheme. */
export function identityOf(scheme: string, auth: Buffer): Identity | undefined {
  if (scheme !== 'digest') return undefined
  const text = auth.toString('utf8')
  const hash = createHash('sha1').update(text, 'utf8').digest('base64')
  return { scheme, id: `${text.split(':')[0] ?? ''}:${hash}` }
}

function isAllowed(entry: AclEntry, wanted: number, names: readonly Identity[]): boolean {
  if ((entry.permissions & wanted) === 0) return false
  if (entry.scheme === 'world') return entry.id === 'anyone'
  return names.some((name) => name.scheme === entry.scheme && name.id === entry.id)
}

// An address is not a log-in.
function ownEntries({ permissions }: AclEntry, names: readonly Identity[]): readonly AclEntry[] {
  const logins = names.filter(({ scheme }) => scheme !== 'ip')
  if (logins.length === 0) throw new KeeperException(errorCode.invalidAcl)
  return logins.map((name) => ({ permissions, ...name }))
}

function isValidEntry({ scheme, id }: AclEntry): boolean {
  if (scheme === 'world') return id === 'anyone'
  if (scheme === 'digest') return id.split(':').length === 2
  return scheme === 'ip' && id !== ''
}

function unique(acl: readonly AclEntry[]): readonly AclEntry[] {
  const seen = new Map(acl.map((entry) => [`${entry.permissions} ${entry.scheme} ${entry.id}`, entry]))
  return [...seen.values()]
}
