import { existsSync, lstatSync, mkdirSync, type Stats } from 'node:fs'
import { labError } from '../model/codes.ts'

/**
 * Makes a folder for sockets in a place where everybody may write. One that is there already must be a folder of this
 * user that nobody else can look into: behind a link, or in another user's folder, somebody else could answer.
 */
export function prepareSocketFolder(path: string, uid: number): void {
  if (!existsSync(path)) mkdirSync(path, { mode: 0o700 })
  const objection = unsafeReason(lstatSync(path), uid)
  if (objection !== undefined) throw labError('supervisor-lost', `${path} ${objection}; type: rm -r ${path}`)
}

function unsafeReason(stat: Stats, uid: number): string | undefined {
  if (!stat.isDirectory()) return 'is no folder'
  if (stat.uid !== uid) return 'belongs to another user'
  return (stat.mode & 0o077) === 0 ? undefined : 'is open to others'
}
