import { bareDriver } from './bare-driver.ts'
import type { ContestantMaker } from './contestant.ts'
import { kazoo, missingKazoo } from './kazoo.ts'
import { ours } from './ours.ts'

const contestants: readonly ContestantMaker[] = [ours, bareDriver, kazoo]

/** Everybody who can take part on this machine, ours first; who cannot is named on the screen. */
export async function entrants(): Promise<readonly ContestantMaker[]> {
  const missing = await missingKazoo()
  if (missing === undefined) return contestants
  console.log(`Skipped: 1 client, ${missing}`)
  return contestants.filter((contestant) => contestant !== kazoo)
}

/** The contestant of that name; throws for a stranger. */
export function contestantNamed(name: string): ContestantMaker {
  const maker = contestants.find((contestant) => contestant.name === name)
  if (maker === undefined) throw new Error(`there is no contestant '${name}'`)
  return maker
}
