import { labFolder, labNames, labsHome } from '../machine/lab-folder.ts'
import { isHeld, readLabLock } from '../supervisor/claim.ts'
import { ensureSupervisor } from './reach.ts'

/** Brings back the supervisors that were killed, so that overdue leases are healed before anything else is done. */
export async function ensureSupervisors(
  signal: AbortSignal | undefined,
  home: string = labsHome(undefined),
): Promise<void> {
  const untended = labNames(home)
    .map((lab) => labFolder(home, lab))
    .filter((folder) => !isHeld(readLabLock(folder)))
  // A lab that failed, or that cannot be brought back, says so to whoever asks for it and is not in the others' way.
  await Promise.allSettled(untended.map((folder) => ensureSupervisor(folder, signal)))
}
