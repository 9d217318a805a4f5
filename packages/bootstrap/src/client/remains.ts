import { systemClock } from '@ha/core'
import { removeLabFolder } from '../machine/aside.ts'
import { endMarked, hasMarked } from '../machine/marks.ts'
import { currentClaim, isHeld } from '../supervisor/claim.ts'
import { type CallOptions, call } from './call.ts'

const lookMs = 20
// A supervisor whose lab is over takes half a second to send its last replies.
const farewellMs = 3_000

/** What a crash left of a lab whose plan cannot be read. */
export interface Leftover {
  readonly name: string
  /** Ends what runs of it and removes its folder. */
  down(options?: CallOptions): Promise<void>
}

/** The leftover of that name in this folder. */
export function leftoverIn(folder: string, name: string): Leftover {
  return {
    name,
    async down(options = {}) {
      const claim = currentClaim(folder)
      // A supervisor that runs read the plan while it could be read.
      if (claim !== undefined && isHeld(claim)) await call(claim, { verb: 'down' }, options)
      else await removeRemains(folder)
    },
  }
}

/** Ends whatever runs of a lab that nobody looks after, recorded or not, and removes its folder. */
export async function removeRemains(folder: string): Promise<void> {
  await endMarked(folder)
  removeLabFolder(folder)
}

/** Waits until the supervisor of a lab that is over has left; false when it stays, or anything else of the lab runs. */
export async function isDeserted(folder: string): Promise<boolean> {
  const giveUpAt = systemClock.now() + farewellMs
  while (isHeld(currentClaim(folder))) {
    if (systemClock.now() > giveUpAt) return false
    await systemClock.sleep(lookMs)
  }
  return !hasMarked(folder)
}
