import type { Experiment, ExperimentResult } from './experiment.ts'

/**
 * Within what time writes have to go on: as soon as the ensemble can, with half as much on top and 200 ms. Who is
 * attached to a server that says nothing has to find that out first, and gets the time of a session for it.
 */
export function boundMs({ experiment, floorMs }: Pick<ExperimentResult, 'experiment' | 'floorMs'>): number {
  const soon = 1.5 * (floorMs ?? 0) + 200
  return isSilent(experiment) ? Math.max(soon, experiment.sessionTimeoutMs) : soon
}

// A server that is frozen or cut off says goodbye to nobody, and one that is stopped politely has no answers for 0.35 s
// before it hangs up (3.8.0, measured).
function isSilent({ fault }: Experiment): boolean {
  return fault !== 'kill'
}
