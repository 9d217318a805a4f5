import type { Evidence, RecoveryDecision } from '../galera/recovery.ts'
import type { MachineUptime } from '../machine/host.ts'
import type { ProcessId } from '../machine/process-table.ts'
import type { NetworkFault, ServerFault } from '../model/plan.ts'

/** The faults that the process of any node can have. */
export const processFaults = ['kill', 'stop', 'pause'] as const

/** What can be done to a node and is undone at a deadline: to its process, by its server, or to its network. */
export type FaultAction = (typeof processFaults)[number] | ServerFault | NetworkFault

/**
 * A fault in force, as a lease with a deadline. Times are milliseconds since 1970, so that they outlive any process.
 */
export interface Fault {
  readonly node: string
  readonly action: FaultAction
  readonly begunAt: number
  readonly healsAt: number
  /** The same deadline by a clock that nothing sets; it holds until the machine is started again. */
  readonly healsAtUptime?: MachineUptime
}

/**
 * Everything that can happen to a lab. The journal contains these events and nothing else; their names are a file
 * format.
 */
export type LabEvent =
  | {
      readonly type: 'planned'
      readonly kind: string
      readonly version: string
      readonly notes: readonly string[]
    }
  | { readonly type: 'supervised'; readonly pid: number }
  | { readonly type: 'working'; readonly on: string }
  | { readonly type: 'process-starting'; readonly process: string }
  | { readonly type: 'process-started'; readonly process: string; readonly id: ProcessId }
  | { readonly type: 'process-up'; readonly process: string; readonly elapsedMs: number }
  | { readonly type: 'process-ended'; readonly process: string; readonly asked: boolean }
  | { readonly type: 'fault-begun'; readonly fault: Fault }
  | { readonly type: 'fault-healed'; readonly node: string; readonly because: 'deadline' | 'asked' }
  | { readonly type: 'heal-failed'; readonly node: string; readonly because: string }
  | { readonly type: 'member-repaired'; readonly node: string }
  | { readonly type: 'repair-failed'; readonly node: string; readonly because: string }
  | {
      readonly type: 'recovering'
      readonly decision: RecoveryDecision
      readonly evidence: readonly Evidence[]
    }
  | { readonly type: 'disagreed'; readonly node: string; readonly because: string }
  | { readonly type: 'agreed'; readonly elapsedMs: number }
  | { readonly type: 'formed'; readonly elapsedMs: number }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'ended' }

/** An event as it stands in the journal. */
export type RecordedEvent = LabEvent & {
  readonly seq: number
  /** Milliseconds since 1970. */
  readonly at: number
}
