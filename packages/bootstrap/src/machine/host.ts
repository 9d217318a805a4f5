import { lookup } from 'node:dns/promises'
import { existsSync, readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { labError } from '../model/errors.ts'

/** Whether processes are identified by pid and start time, as on Linux. */
export function hasProc(): boolean {
  return existsSync('/proc/self/stat')
}

/** The IPv4 address of `localhost`; empty when it has none. */
export async function resolveLocalhost(): Promise<string> {
  try {
    return (await lookup('localhost', { family: 4 })).address
  } catch {
    // A name that does not resolve is a valid result.
    return ''
  }
}

/** Rejects a machine that cannot run a lab. */
export async function checkPlatform(): Promise<void> {
  if (!hasProc()) throw labError('platform-unfit', 'labs need Linux: there is no /proc; see: hactl doctor')
  const address = await resolveLocalhost()
  if (address === '127.0.0.1') return
  const shown = address === '' ? 'does not resolve' : `is ${address}`
  throw labError('platform-unfit', `localhost ${shown}, but nodes join by that name; run: hactl doctor`)
}

/** A user of this machine and its primary group. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

// The Debian package creates it.
const serverUser = 'mysql'

/** The account for servers that refuse to run as root; null for an ordinary user, under whose account they run. */
export function serverAccount(passwd: string = readFileSync('/etc/passwd', 'utf8')): Account | null {
  if (process.getuid?.() !== 0) return null
  const account = accountOf(serverUser, passwd)
  if (account !== undefined) return account
  throw labError(
    'platform-unfit',
    `MariaDB does not run as root, and there is no user '${serverUser}'; run: useradd --system ${serverUser}`,
  )
}

/** The name of the user that runs this process. */
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

/** The memory available to new programs without swapping, in MiB; undefined where the kernel does not report it. */
export function availableMemoryMib(): number | undefined {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))
  return match === null ? undefined : Math.floor(Number(match[1]) / 1024)
}
