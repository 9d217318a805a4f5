import type { Experiment } from './experiment.ts'
import { type FaultKind, roles } from './faults.ts'

export interface Series extends Omit<Experiment, 'fault' | 'role'> {
  readonly faults: number
  readonly faultKinds: readonly FaultKind[]
}

/** Deals a number of faults evenly over their kinds; the leader and a server with a client take turns. */
export function dealExperiments({ faults, faultKinds, ...shared }: Series): readonly Experiment[] {
  return Array.from({ length: faults }, (_, i) => {
    const kind = i % faultKinds.length
    const fault = faultKinds[kind] ?? 'kill'
    const turn = Math.floor(i / faultKinds.length)
    // Each kind meets both in turn, and not all of them meet the same one first.
    const role = roles[(kind + turn) % roles.length] ?? 'leader'
    return { ...shared, fault, role }
  })
}
