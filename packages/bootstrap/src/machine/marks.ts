import { systemClock } from '@ha/core'
import { findMarked, isRunning, signal } from './process-table.ts'

/** In the environment of every process of a lab, and so of its children: what a crash left unrecorded is found by it. */
export const labMark = 'HACTL_LAB'

const lookMs = 20
// SIGKILL takes effect at once, but for a process in the middle of a disk's answer.
const patienceMs = 10_000

/** Whether any process of the lab in this folder runs. */
export function hasMarked(folder: string): boolean {
  return findMarked(labMark, folder).length > 0
}

/** Ends every process that carries the mark of the lab in this folder, recorded or not, and waits for their end. */
export async function endMarked(folder: string): Promise<void> {
  const giveUpAt = systemClock.now() + patienceMs
  const left = findMarked(labMark, folder)
  for (const id of left) signal(id, 'SIGKILL')
  while (left.some(isRunning) && systemClock.now() < giveUpAt) await systemClock.sleep(lookMs)
}
