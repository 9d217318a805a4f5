import { labFolder, labNames, labsHome } from '../machine/lab-folder.ts'
import { currentClaim, isHeld } from '../supervisor/claim.ts'
import { reachSupervisor } from './reach.ts'

/** Brings back the supervisors that were killed, so that overdue leases are healed before anything else is done. */
export async function tendLabs(
  signal: AbortSignal | undefined,
  home: string = labsHome(undefined),
): Promise<void> {
  const untended = labNames(home)
    .map((lab) => labFolder(home, lab))
    .filter((folder) => !isHeld(currentClaim(folder)))
  // A lab that failed, or that cannot be brought back, says so to whoever asks for it and is not in the others' way.
  await Promise.allSettled(untended.map((folder) => reachSupervisor(folder, signal)))
}
