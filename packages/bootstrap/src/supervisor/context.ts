import type { Clock } from '@ha/core'
import type { Journal } from '../lab/journal.ts'
import type { RunCommand } from '../machine/run-command.ts'
import type { LabPlan } from '../model/plan.ts'

/** What all parts of one supervisor share. The journal is its only state. */
export interface SupervisorContext {
  readonly plan: LabPlan
  readonly journal: Journal
  readonly clock: Clock
  readonly run: RunCommand
  /** Aborted when the supervisor ends. */
  readonly signal: AbortSignal
  /** Ends the supervisor with an error that keeps it from its work, such as a journal that cannot be written. */
  readonly fail: (error: Error) => void
}
