import type { ContestantMaker } from './contestant.ts'
import { mariadbCluster } from './mariadb-cluster.ts'
import { mysql2Cluster } from './mysql2-cluster.ts'
import { ours } from './ours.ts'

/** Everybody who takes part, ours first. */
export const contestants: readonly ContestantMaker[] = [ours, mariadbCluster, mysql2Cluster]

/** The contestant of that name; throws for a stranger. */
export function contestantNamed(name: string): ContestantMaker {
  const maker = contestants.find((contestant) => contestant.name === name)
  if (maker === undefined) throw new Error(`there is no contestant '${name}'`)
  return maker
}
