import { brokenWords } from '../harness/broken.ts'
import type { Fared } from './experiment.ts'

/** True when every promise to the caller was kept. */
export function kept(fared: Fared): boolean {
  return brokenPromises(fared) === ''
}

/** What was not kept, in words. */
export function brokenPromises({ verdict, unhandled, darkMs }: Fared): string {
  const { lost, undelivered, unsettled, unannouncedDuplicates, handledAgain, wronglyNotDone, outOfOrder } =
    verdict
  return brokenWords([
    [lost, 'confirmed and lost'],
    [undelivered, 'confirmed and not handled in time'],
    [unsettled, 'never settled'],
    [unannouncedDuplicates, 'stored twice without a word'],
    [handledAgain, 'handled again in the same process'],
    [wronglyNotDone, 'called not done though they were'],
    [outOfOrder, 'out of order'],
    [unhandled.length, `unhandled (${unhandled[0]})`],
    [darkMs === undefined ? 1 : 0, 'never back'],
  ])
}
