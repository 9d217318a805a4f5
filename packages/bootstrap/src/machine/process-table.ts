import { readdirSync, readFileSync } from 'node:fs'
import { systemClock } from '@ha/core'

/** Which running process: a pid alone comes back for somebody else. */
export interface ProcessId {
  readonly pid: number
  /** Clock ticks between the machine's boot and the start of the process. */
  readonly startTicks: string
  /** The boot that the ticks count from. */
  readonly bootId: string
}

/** Which process runs under this pid now; undefined when none does, or only a dead one that nobody collected. */
export function identify(pid: number): ProcessId | undefined {
  const fields = statFields(pid)
  if (fields === undefined) return undefined
  const [state, threads, startTicks] = [fields[0], fields[17], fields[19]]
  // A killed process with many threads is a zombie at once and holds its ports until the last of them is gone.
  const isDead = state === 'X' || (state === 'Z' && Number(threads) <= 1)
  if (startTicks === undefined || isDead) return undefined
  return { pid, startTicks, bootId: bootId() }
}

/** Whether exactly this process still runs. */
export function isRunning(id: ProcessId): boolean {
  const now = identify(id.pid)
  return now !== undefined && now.startTicks === id.startTicks && now.bootId === id.bootId
}

/** Whether exactly this process is frozen by a stop signal. */
export function isFrozen(id: ProcessId): boolean {
  return isRunning(id) && statFields(id.pid)?.[0] === 'T'
}

/** Signals exactly this process; false when it is gone, whoever has its pid by now. */
export function signal(id: ProcessId, name: NodeJS.Signals): boolean {
  if (!isRunning(id)) return false
  try {
    process.kill(id.pid, name)
    return true
  } catch (error) {
    if (isNoSuchProcess(error)) return false
    throw error
  }
}

/** The running processes whose environment holds `name=value`, the eldest first. */
export function findMarked(name: string, value: string): readonly ProcessId[] {
  const found = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && environmentHolds(entry, `${name}=${value}`))
    .map((entry) => identify(Number(entry)))
    .filter((id) => id !== undefined)
  return found.sort((a, b) => Number(a.startTicks) - Number(b.startTicks) || a.pid - b.pid)
}

/** What a process calls itself, for messages. */
export function processName(pid: number): string {
  return readProc(`/proc/${pid}/comm`)?.trim() ?? 'unknown'
}

// The second field is the command in brackets and may hold anything, so the fields are counted from the last bracket.
function statFields(pid: number): readonly string[] | undefined {
  const stat = readProc(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function environmentHolds(pid: string, entry: string): boolean {
  return readProc(`/proc/${pid}/environ`)?.split('\0').includes(entry) ?? false
}

// Read once: no process outlives a boot.
let knownBootId: string | undefined

function bootId(): string {
  knownBootId ??= readProc('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
  return knownBootId
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Processes end between two looks, and those of other users are closed to us: both mean *not ours*.
    return undefined
  }
}

function isNoSuchProcess(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ESRCH'
}

/** In the environment of every process of a lab, and so of its children: what a crash left unrecorded is found by it. */
export const labMark = 'HACTL_LAB'

const pollMs = 20
// SIGKILL takes effect at once, but for a process in the middle of a disk's answer.
const endTimeoutMs = 10_000

/** Whether any process of the lab in this folder runs. */
export function hasMarked(folder: string): boolean {
  return findMarked(labMark, folder).length > 0
}

/** Ends every process that carries the mark of the lab in this folder, recorded or not, and waits for their end. */
export async function endMarked(folder: string): Promise<void> {
  const giveUpAt = systemClock.now() + endTimeoutMs
  let dying: readonly ProcessId[] = []
  do {
    // A script may start another program between the look and the kill, so it is looked again until there is none.
    const found = findMarked(labMark, folder)
    for (const id of found) signal(id, 'SIGKILL')
    dying = [...dying, ...found].filter(isRunning)
    if (found.length === 0 && dying.length === 0) return
    await systemClock.sleep(pollMs)
  } while (systemClock.now() < giveUpAt)
}
