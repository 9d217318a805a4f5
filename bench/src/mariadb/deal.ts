import type { Experiment } from './experiment.ts'
import type { FaultKind } from './faults.ts'

export interface Series extends Omit<Experiment, 'fault' | 'role' | 'victim'> {
  readonly faults: number
  readonly faultKinds: readonly FaultKind[]
  readonly nodes: readonly string[]
}

/**
 * Deals a number of faults evenly over their kinds; the victims take turns. The first server of a replication is its
 * primary: there the roles take turns as well, and a cluster has no replicas.
 */
export function dealExperiments({ faults, faultKinds, nodes, ...shared }: Series): readonly Experiment[] {
  return Array.from({ length: faults }, (_, i) => {
    const fault = faultKinds[i % faultKinds.length] ?? 'kill'
    const turn = Math.floor(i / faultKinds.length)
    const victim = nodes[turn % nodes.length] ?? ''
    const role = shared.mode === 'replication' && victim !== nodes[0] ? 'replica' : 'writer'
    return { ...shared, fault, role, victim }
  })
}
