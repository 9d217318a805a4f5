import { systemClock } from '@ha/core'
import type { ProcessId } from './process-table.ts'
import { findMarked, isRunning, signal } from './process-table.ts'

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
