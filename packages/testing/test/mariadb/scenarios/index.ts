import { clusters } from './clusters.ts'
import { locks } from './locks.ts'
import type { Scenario } from './stage.ts'
import { statements } from './statements.ts'

/** Everything that is played on the fake cluster and on a real one. */
export const scenarios: readonly Scenario[] = [...statements, ...locks, ...clusters]
