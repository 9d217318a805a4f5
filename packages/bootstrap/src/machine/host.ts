import { lookup } from 'node:dns/promises'
import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { uptime, userInfo } from 'node:os'
import { dirname } from 'node:path'
import { labError } from '../model/errors.ts'
import type { KindName } from '../model/plan.ts'

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

/** Rejects a machine that cannot run a lab of this kind. */
export async function checkPlatform(
  kind: KindName,
  resolve: () => Promise<string> = resolveLocalhost,
): Promise<void> {
  if (!hasProc()) throw labError('platform-unfit', 'labs need Linux: there is no /proc; see: hactl doctor')
  // The servers of the other kinds find each other by address.
  if (kind !== 'rabbitmq') return
  const address = await resolve()
  if (address === '127.0.0.1') return
  const shown = address === '' ? 'does not resolve' : `is ${address}`
  throw labError(
    'platform-unfit',
    `localhost ${shown}, but nodes of RabbitMQ join by that name; run: ${localhostFix}`,
  )
}

/** The command that gives `localhost` its usual address. */
export const localhostFix = "echo '127.0.0.1 localhost' >> /etc/hosts"

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

/** The name of the user that runs this process; null for an id without a name, as containers use. */
export function currentUser(): string | null {
  try {
    return userInfo().username
  } catch {
    // The id has no entry in /etc/passwd.
    return null
  }
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

/** The time since the machine was started. */
export interface MachineUptime {
  /** The identity of that start; empty where the kernel does not report one. */
  readonly boot: string
  readonly ms: number
}

/** The time since the start of the machine, which no change of its clock affects. */
export function machineUptime(): MachineUptime {
  return { boot: readText('/proc/sys/kernel/random/boot_id').trim(), ms: Math.round(uptime() * 1000) }
}

/**
 * The memory available to new programs without swapping, in MiB: of the machine, or of the container where that is
 * less; undefined where the kernel does not report it.
 */
export function availableMemoryMib(read: (path: string) => string = readText): number | undefined {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(read('/proc/meminfo'))
  const all = [...(match === null ? [] : [Number(match[1]) * 1024]), ...containerMemory(read)]
  return all.length === 0 ? undefined : Math.max(0, Math.floor(Math.min(...all) / mib))
}

const mib = 1024 * 1024

// What the limit of each group of processes above this one leaves, in bytes. Files in memory can be given back.
function containerMemory(read: (path: string) => string): readonly number[] {
  return memoryGroups(read('/proc/self/cgroup')).flatMap(({ folder, limit, usage, inactive }) => {
    const most = Number(read(`${folder}/${limit}`).trim() || Number.NaN)
    const used = Number(read(`${folder}/${usage}`).trim() || Number.NaN)
    const found = new RegExp(`^${inactive} (\\d+)$`, 'm').exec(read(`${folder}/memory.stat`))
    const left = most - used + Number(found?.[1] ?? 0)
    return Number.isFinite(left) ? [left] : []
  })
}

interface MemoryGroup {
  readonly folder: string
  readonly limit: string
  readonly usage: string
  readonly inactive: string
}

// Version 2 has one hierarchy with the number 0; version 1 has one for memory. Inside of a container the path may be
// that of the host, and the root of the mounted hierarchy is the container's own group.
function memoryGroups(cgroup: string): readonly MemoryGroup[] {
  return cgroup.split('\n').flatMap((line) => {
    const [id, controllers = '', path = '/'] = line.split(':')
    const ancestors = path.split('/').map((_, i, names) => names.slice(0, i + 1).join('/'))
    if (id === '0')
      return ancestors.map((at) => ({
        folder: `/sys/fs/cgroup${at}`,
        limit: 'memory.max',
        usage: 'memory.current',
        inactive: 'inactive_file',
      }))
    if (!controllers.split(',').includes('memory')) return []
    return ancestors.map((at) => ({
      folder: `/sys/fs/cgroup/memory${at}`,
      limit: 'memory.limit_in_bytes',
      usage: 'memory.usage_in_bytes',
      inactive: 'total_inactive_file',
    }))
  })
}

/** The disk space that this user may still fill in a folder, in MiB; undefined where the system does not report it. */
export function freeDiskMib(folder: string): number | undefined {
  for (let at = folder; ; at = dirname(at)) {
    try {
      const { bavail, bsize } = statfsSync(at)
      return Math.floor((bavail * bsize) / mib)
    } catch {
      // The folder is created later, on the same file system as its parent.
      if (at === dirname(at)) return undefined
    }
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Systems differ in what they report.
    return ''
  }
}
