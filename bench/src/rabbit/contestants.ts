import { connectionManager } from './connection-manager.ts'
import type { ContestantMaker } from './contestant.ts'
import { ours } from './ours.ts'
import { rabbitmqClient } from './rabbitmq-client.ts'
import { rascal } from './rascal.ts'

/** Everybody who takes part, ours first. */
export const contestants: readonly ContestantMaker[] = [ours, connectionManager, rabbitmqClient, rascal]

/** The contestant of that name; throws for a stranger. */
export function contestantNamed(name: string): ContestantMaker {
  const maker = contestants.find((contestant) => contestant.name === name)
  if (maker === undefined) throw new Error(`there is no contestant '${name}'`)
  return maker
}
