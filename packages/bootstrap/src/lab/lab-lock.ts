import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { identify, isRunning, type ProcessId } from '../machine/process-table.ts'

/** The lock of a lab: which process supervises it, and the socket on which that process listens. */
export interface LabLock {
  readonly term: number
  readonly supervisor: ProcessId
  readonly socket: string
}

/** The lock of the highest term, whether its holder still runs or not; undefined when none can be read. */
export function readLabLock(folder: string): LabLock | undefined {
  const highest = terms(folder).at(-1)
  if (highest === undefined) return undefined
  try {
    return JSON.parse(readFileSync(lockPath(folder, highest), 'utf8'))
  } catch {
    // The file was removed since it was listed, or a crash of the machine cut it short: the lock is free.
    return undefined
  }
}

/** Whether the holder of the lock still runs. */
export function isHeld(lock: LabLock | undefined): boolean {
  return lock !== undefined && isRunning(lock.supervisor)
}

/**
 * Acquires the lab for this process under the next term; undefined when another process holds it. The file of a term
 * is created by one link, which the file system grants to one process only, so two supervisors never hold the same
 * lab.
 */
export function acquireLabLock(folder: string, socket: string): LabLock | undefined {
  const supervisor = identify(process.pid)
  if (supervisor === undefined || isHeld(readLabLock(folder))) return undefined
  const lock: LabLock = { term: (terms(folder).at(-1) ?? 0) + 1, supervisor, socket }
  mkdirSync(lockFolder(folder), { recursive: true, mode: 0o700 })
  const draft = join(lockFolder(folder), `draft.${process.pid}`)
  writeFileSync(draft, JSON.stringify(lock), { mode: 0o600 })
  try {
    linkSync(draft, lockPath(folder, lock.term))
    return lock
  } catch {
    // Another supervisor created the file of this term first.
    return undefined
  } finally {
    rmSync(draft, { force: true })
  }
}

function terms(folder: string): readonly number[] {
  try {
    return readdirSync(lockFolder(folder))
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => a - b)
  } catch {
    // Without the folder there is no lock.
    return []
  }
}

function lockFolder(folder: string): string {
  return join(folder, 'supervisor')
}

function lockPath(folder: string, term: number): string {
  return join(lockFolder(folder), String(term))
}
