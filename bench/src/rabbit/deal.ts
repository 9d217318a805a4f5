import { type Experiment, type VictimRole, victimRoles } from './experiment.ts'
import type { FaultKind } from './faults.ts'
import type { QueueKind } from './queues.ts'

export interface Series {
  readonly faults: number
  readonly faultKinds: readonly FaultKind[]
  readonly queueKinds: readonly QueueKind[]
  readonly nodes: readonly string[]
  readonly contestants: readonly string[]
  readonly ratePerSecond: number
  readonly retryMs: number
  readonly silentMs: number
}

/** Deals a number of faults evenly over queue kinds and fault kinds; victims and their roles take turns. */
export function dealExperiments(series: Series): readonly Experiment[] {
  const cells = series.queueKinds.flatMap((queueKind) =>
    series.faultKinds.map((fault) => ({ queueKind, fault })),
  )
  return Array.from({ length: series.faults }, (_, i) => {
    const cell = cells[i % cells.length]
    const turn = Math.floor(i / cells.length)
    return {
      queueKind: cell?.queueKind ?? 'quorum',
      fault: cell?.fault ?? 'kill',
      role: roleOf(turn),
      victim: series.nodes[turn % series.nodes.length] ?? '',
      contestants: series.contestants,
      ratePerSecond: series.ratePerSecond,
      retryMs: series.retryMs,
      silentMs: series.silentMs,
    }
  })
}

// The role changes with each round over the nodes as well, so that no node has always the same part.
function roleOf(turn: number): VictimRole {
  return (
    victimRoles[(turn + Math.floor(turn / victimRoles.length)) % victimRoles.length] ??
    'leader and connections'
  )
}
