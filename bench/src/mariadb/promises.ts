import { brokenWords } from '../harness/broken.ts'
import type { Fared } from './fared.ts'

/** True when every promise to the caller was kept. */
export function kept(fared: Fared): boolean {
  return brokenPromises(fared) === ''
}

/** What was not kept, in words. */
export function brokenPromises({ verdict, unhandled, darkMs }: Fared): string {
  return brokenWords([
    [verdict.lost, 'acknowledged and lost'],
    [verdict.twice, 'applied twice'],
    [verdict.unsettled, 'never settled'],
    [verdict.wronglyNotDone, 'called not done though they were'],
    [verdict.wrongSums, 'nodes with a wrong sum'],
    [verdict.unequalNodes, 'nodes that differ'],
    [verdict.staleReads, 'stale reads'],
    [verdict.failedReads, 'failed reads'],
    [unhandled.length, `unhandled (${unhandled[0]})`],
    [darkMs === undefined ? 1 : 0, 'never back'],
  ])
}
