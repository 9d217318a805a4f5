import { readdirSync, readFileSync } from 'node:fs'
import { systemClock } from '@ha/core'

/** The identity of a process. A pid alone may be reused by another process. */
export interface ProcessId {
  readonly pid: number
  /** Clock ticks between the boot of the machine and the start of the process. */
  readonly startTicks: string
  /** The boot from which the ticks count. */
  readonly bootId: string
}

/** The identity of the process with this pid; undefined when there is none, or only a zombie. */
export function identify(pid: number): ProcessId | undefined {
  const fields = statFields(pid)
  if (fields === undefined) return undefined
  const [state, threads, startTicks] = [fields[0], fields[17], fields[19]]
  // A killed process with many threads is a zombie at once, and holds its ports until the last thread has ended.
  const isDead = state === 'X' || (state === 'Z' && Number(threads) <= 1)
  if (startTicks === undefined || isDead) return undefined
  return { pid, startTicks, bootId: bootId() }
}

/** Whether exactly this process still runs. */
export function isRunning(id: ProcessId): boolean {
  const now = identify(id.pid)
  return now !== undefined && now.startTicks === id.startTicks && now.bootId === id.bootId
}

/** Whether exactly this process is stopped by a signal. */
export function isFrozen(id: ProcessId): boolean {
  return isRunning(id) && statFields(id.pid)?.[0] === 'T'
}

/** Signals exactly this process; false when it has ended, even when another process has its pid. */
export function sendSignal(id: ProcessId, name: NodeJS.Signals): boolean {
  if (!isRunning(id)) return false
  try {
    process.kill(id.pid, name)
    return true
  } catch (error) {
    if (isNoSuchProcess(error)) return false
    throw error
  }
}

/** The running processes whose environment contains `name=value`, the oldest first. */
export function findMarkedProcesses(name: string, value: string): readonly ProcessId[] {
  const found = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && environmentHolds(entry, `${name}=${value}`))
    .map((entry) => identify(Number(entry)))
    .filter((id) => id !== undefined)
  return found.sort((a, b) => Number(a.startTicks) - Number(b.startTicks) || a.pid - b.pid)
}

/** The name of a process, for messages. */
export function processName(pid: number): string {
  return readProc(`/proc/${pid}/comm`)?.trim() ?? 'unknown'
}

// The second field is the command in brackets and may contain any character, so fields are counted from the last
// bracket.
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
    // A process may end between two reads, and those of other users are not readable; neither is ours.
    return undefined
  }
}

function isNoSuchProcess(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ESRCH'
}

/**
 * The environment variable of every process of a lab and of its children, by which processes that a crash left
 * unrecorded are found.
 */
export const labMark = 'HACTL_LAB'

const pollMs = 20
// SIGKILL takes effect at once, except for a process that waits for a disk.
const endTimeoutMs = 10_000

/** Whether any process of the lab in this folder runs. */
export function hasLabProcesses(folder: string): boolean {
  return findMarkedProcesses(labMark, folder).length > 0
}

/** Ends every process that carries the mark of the lab in this folder, recorded or not, and waits for its end. */
export async function endLabProcesses(folder: string): Promise<void> {
  const giveUpAt = systemClock.now() + endTimeoutMs
  let killed: readonly ProcessId[] = []
  do {
    // A script may start another program between the search and the kill, so the search is repeated until it finds
    // none.
    const found = findMarkedProcesses(labMark, folder)
    for (const id of found) sendSignal(id, 'SIGKILL')
    killed = [...killed, ...found].filter(isRunning)
    if (found.length === 0 && killed.length === 0) return
    await systemClock.sleep(pollMs)
  } while (systemClock.now() < giveUpAt)
}
