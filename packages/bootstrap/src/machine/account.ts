import { readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { labError } from '../model/codes.ts'

/** A user of this machine, and its first group. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

// The package makes it.
const serverUser = 'mysql'

/** The account that servers which refuse to run as root run as; null for an ordinary user, who runs them himself. */
export function serverAccount(passwd: string = readFileSync('/etc/passwd', 'utf8')): Account | null {
  if (process.getuid?.() !== 0) return null
  const account = accountOf(serverUser, passwd)
  if (account !== undefined) return account
  throw labError(
    'platform-unfit',
    `MariaDB does not run as root, and there is no user '${serverUser}'; type: useradd --system ${serverUser}`,
  )
}

/** The name of the user that this process runs as. */
export function currentUser(): string {
  return userInfo().username
}

/** The account of a user in a file like /etc/passwd; undefined when there is none. */
export function accountOf(user: string, passwd: string): Account | undefined {
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === user)
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])]
  return Number.isInteger(uid) && Number.isInteger(gid) ? { uid, gid } : undefined
}
